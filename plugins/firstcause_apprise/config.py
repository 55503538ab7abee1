"""`[plugins.apprise]`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class Config(BaseModel):
    """urls: one service each, "URL" or "tag=URL"; `urls_file` names a file with one a line, # for comments.

    tag: only the services with this tag. timeout: seconds for one service. A URL holds secrets.
    """

    model_config = ConfigDict(extra="forbid")

    urls: list[SecretStr] = Field(default_factory=list)
    tag: str | None = None
    timeout: float = Field(default=20.0, gt=0, le=120)

    @field_validator("urls", mode="before")
    @classmethod
    def _split_lines(cls, value: object) -> object:
        """What a file held comes as one text."""
        if not isinstance(value, str):
            return value
        lines = (line.strip() for line in value.splitlines())
        return [line for line in lines if line and not line.startswith(("#", ";"))]
