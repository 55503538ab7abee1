from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from firstcause import Severity

SEVERITIES = {
    "critical": Severity.CRITICAL,
    "page": Severity.CRITICAL,
    "error": Severity.CRITICAL,
    "warning": Severity.WARNING,
    "info": Severity.INFO,
    "none": Severity.INFO,
}


class Config(BaseModel):
    """`[plugins.alertmanager]`. Labels: the first that an alert has is taken.

    service, tenant: labels that name them. severities: values of the label `severity`, in small letters;
    of an alert with any other the catalog decides.
    """

    model_config = ConfigDict(extra="forbid")

    service: tuple[str, ...] = ("service", "app", "job")
    tenant: tuple[str, ...] = ("tenant",)
    severities: dict[str, Severity] = Field(default_factory=lambda: dict(SEVERITIES))
