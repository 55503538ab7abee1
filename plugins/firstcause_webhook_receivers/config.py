from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, RootModel

from firstcause import Severity
from firstcause_webhook_receivers.json_paths import check_path

SEVERITIES = {
    **dict.fromkeys(("critical", "crit", "fatal", "error", "high", "alarm", "p0", "p1"), Severity.CRITICAL),
    **dict.fromkeys(("warning", "warn", "medium", "p2", "p3"), Severity.WARNING),
    **dict.fromkeys(("info", "informational", "low", "notice", "p4", "p5"), Severity.INFO),
}
RESOLVED_VALUES = ("resolved", "ok", "closed", "recovered", "normal", "clear", "true")


def _to_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _check_paths(paths: tuple[str, ...]) -> tuple[str, ...]:
    for path in paths:
        check_path(path)
    return paths


JsonPaths = Annotated[tuple[str, ...], BeforeValidator(_to_tuple), AfterValidator(_check_paths)]
"""One place or several, of which the first where something stands is taken."""


class PayloadMapping(BaseModel):
    """`[plugins.webhooks.NAME]`: where in the JSON what stands. Served at /api/v1/webhooks/<path, else NAME>.

    A place is a path such as `incident.labels.severity` or `alerts.0.name`, which also goes into a text that
    is JSON; a template such as `{host}: {check.name}`; or a text of your own, after "=". "^." before a path
    begins at the whole body again. each: where the list is, if there are several in one request.

    code: becomes a code as `firstcause.code_of` makes them. severities: values in small letters; of any
    other the catalog decides. over: values at `resolved` that mean that the error is over. id: what is the
    same where the same occurrence is sent again.
    """

    model_config = ConfigDict(extra="forbid")

    path: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*$")
    each: str = ""
    code: JsonPaths = ()
    message: JsonPaths = ("message",)
    severity: JsonPaths = ("severity",)
    tenant: JsonPaths = ("tenant",)
    service: JsonPaths = ("service",)
    time: JsonPaths = ("time", "timestamp")
    resolved: JsonPaths = ()
    id: JsonPaths = ()
    severities: dict[str, Severity] = Field(default_factory=lambda: dict(SEVERITIES))
    over: tuple[str, ...] = RESOLVED_VALUES


class Config(RootModel[dict[str, PayloadMapping]]):
    """Name -> mapping."""
