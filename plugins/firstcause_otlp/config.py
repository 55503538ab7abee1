from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field


class Config(BaseModel):
    """`[plugins.otlp]`. Attributes of the record, then of the resource: the first that there is is taken.

    service, tenant, code: attributes that name them. least: the severity number from which on a record is
    an error; 17 is ERROR, 13 WARN, 21 FATAL.
    """

    model_config = ConfigDict(extra="forbid")

    renamed_keys: ClassVar[dict[str, str]] = {"least": "min_severity"}

    service: tuple[str, ...] = ("service.name",)
    tenant: tuple[str, ...] = ("tenant", "tenant.id")
    code: tuple[str, ...] = ("error.code", "code")
    min_severity: int = Field(default=17, ge=1, le=24)
