from __future__ import annotations

from typing import Annotated, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _check_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"{name!r} is not a time zone; use for example Europe/Berlin"
        raise ValueError(msg) from None
    return name


DEFAULT_MIN_SEVERITIES = {
    # An ERROR of PostgreSQL is a warning of syslog's, and its own WARNING a notice.
    "postgres": 4,
    # A background save that failed is a warning.
    "redis": 4, "redis-server": 4, "valkey": 4, "valkey-server": 4,
    # Traps, of whatever kind, are information.
    "snmptrapd": 6,
}  # fmt: skip
"""The highest number of a severity that is an error, of programs that log theirs less severely."""

Port = Annotated[int | None, Field(ge=1, le=65535)]


class Config(BaseModel):
    """`[plugins.syslog]`. udp, tcp: ports to listen on, none by default. connections: at once, by TCP.

    min_severity: the highest number of a severity that is an error; 3 is err, 4 takes warnings too.
    program_min_severity: the same by program, for those that log more, or less, severely than others. Some
    have a default: postgres, redis and valkey 4, snmptrapd 6.
    service, tenant, code: names in the structured data that name them; else the service is the program.
    timezone: of senders whose times have none (RFC 3164).
    """

    model_config = ConfigDict(extra="forbid")

    renamed_keys: ClassVar[dict[str, str]] = {"least": "min_severity"}

    host: str = "127.0.0.1"
    udp: Port = None
    tcp: Port = None
    connections: int = Field(default=200, ge=1, le=10_000)
    min_severity: int = Field(default=3, ge=0, le=7)
    program_min_severity: dict[str, Annotated[int, Field(ge=0, le=7)]] = Field(default_factory=dict)
    service: tuple[str, ...] = ("service",)
    tenant: tuple[str, ...] = ("tenant",)
    code: tuple[str, ...] = ("code",)
    timezone: Annotated[str, AfterValidator(_check_timezone)] = "UTC"
