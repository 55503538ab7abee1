from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Config(BaseModel):
    """`[plugins.sentry]`. Tags: the first that an event has is taken.

    service, tenant, code: tags that name them. projects: number of a project in the DSN -> its service,
    for events without such a tag. origins: sites whose pages may send from a browser; "*" is any,
    none is none. A page that one of your users visits could else send what it likes.
    """

    model_config = ConfigDict(extra="forbid")

    service: tuple[str, ...] = ("service",)
    tenant: tuple[str, ...] = ("tenant", "company")
    code: tuple[str, ...] = ("code", "error_code")
    projects: dict[str, str] = Field(default_factory=dict)
    origins: tuple[str, ...] = ()
