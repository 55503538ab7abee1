from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from firstcause import Severity


class Config(BaseModel):
    """`[plugins.cloudevents]`. Each is a list of names, of which the first that an event has is taken.

    They are looked for among its attributes, then in its data where that is a JSON object. code: else the
    attribute `type` makes it. severities: values, in lower case, that mean something else than usual (see
    `firstcause.Severity.from_word`).
    resolved: true, "resolved" or "ok" means that the error is over.
    """

    model_config = ConfigDict(extra="forbid")

    code: tuple[str, ...] = ("code", "errorcode")
    message: tuple[str, ...] = ("message", "error", "reason", "subject")
    severity: tuple[str, ...] = ("severity", "level")
    service: tuple[str, ...] = ("service", "source")
    tenant: tuple[str, ...] = ("tenant",)
    resolved: tuple[str, ...] = ("resolved",)
    severities: dict[str, Severity] = Field(default_factory=dict)
