"""`[plugins.webhook_receivers]`: how the JSON of other tools becomes events."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, RootModel

from firstcause import Severity
from firstcause_webhook_receivers.json_paths import check_path

SEVERITIES = {"error": Severity.CRITICAL}
"""An alert with the severity `error` says more than a logger that calls everything so."""

RESOLVED_VALUES = ("resolved", "ok", "closed", "recovered", "normal", "clear", "true")


def _to_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _check_paths(paths: tuple[str, ...]) -> tuple[str, ...]:
    for path in paths:
        check_path(path)
    return paths


JsonPaths = Annotated[tuple[str, ...], BeforeValidator(_to_tuple), AfterValidator(_check_paths)]
"""One path or several; the first that leads to a value is used."""


class PayloadMapping(BaseModel):
    """`[plugins.webhook_receivers.NAME]`: where in the JSON the fields of an event are.

    Each field takes a path such as `incident.labels.severity` or `alerts.0.name`, which also leads into a
    text that is JSON itself; a template such as `{host}: {check.name}`; or a fixed text after "=". With "^."
    a path starts at the whole body instead of at the item.

    path: where it is served, /api/v1/webhooks/<path>; None means the receiver's name.
    items: path of the list, if one request holds several events; empty means the whole body is one.
    code: made into a code by `firstcause.code_of`.
    severities: value in lower case -> severity, where it means something else than usual (see
        `firstcause.Severity.from_word`).
    resolved_values: values at `resolved` that mean that the error is over.
    id: identifies an occurrence, so that one sent again is not counted twice.
    labels: label -> where its value is; labels tell the parts of one error apart, each of which ends for
        itself.
    """

    model_config = ConfigDict(extra="forbid")

    renamed_keys: ClassVar[dict[str, str]] = {"each": "items", "over": "resolved_values"}

    path: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*$")
    items: str = ""
    code: JsonPaths = ()
    message: JsonPaths = ("message",)
    severity: JsonPaths = ("severity",)
    tenant: JsonPaths = ("tenant",)
    service: JsonPaths = ("service",)
    time: JsonPaths = ("time", "timestamp")
    resolved: JsonPaths = ()
    id: JsonPaths = ()
    labels: dict[str, JsonPaths] = Field(default_factory=dict)
    severities: dict[str, Severity] = Field(default_factory=lambda: dict(SEVERITIES))
    resolved_values: tuple[str, ...] = RESOLVED_VALUES


class Config(RootModel[dict[str, PayloadMapping]]):
    """Receiver's name -> its mapping."""
