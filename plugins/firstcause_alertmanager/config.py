from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from firstcause import Severity

SEVERITIES = {"error": Severity.CRITICAL}
"""An alert rule with the severity `error` says more than a logger that calls everything so."""


class Config(BaseModel):
    """`[plugins.alertmanager]`. Labels: the first that an alert has is taken.

    service, tenant: labels that name them. severities: values of the label `severity`, in lower case, that
    mean something else than usual (see `firstcause.Severity.from_word`).
    """

    model_config = ConfigDict(extra="forbid")

    service: tuple[str, ...] = ("service", "app", "job")
    tenant: tuple[str, ...] = ("tenant",)
    severities: dict[str, Severity] = Field(default_factory=lambda: dict(SEVERITIES))
