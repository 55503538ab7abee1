"""The probe "elevenlabs": whether the key lets us in, and how much of the quota is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from firstcause import Probe, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence


class Config(BaseModel):
    """`[plugins.elevenlabs]`.

    api_key: the application's; or env_file: its dotenv file, read at each check.
    quota_share: from which share of the month's characters on it is DEGRADED. api_url: another than
    ElevenLabs' own, such as that of a region. interval, timeout: seconds.
    """

    model_config = ConfigDict(extra="forbid")

    api_key: SecretStr | None = None
    env_file: str | None = None
    api_url: str = "https://api.elevenlabs.io"
    component: str = "elevenlabs"
    degraded_ms: float = Field(default=2000.0, gt=0)
    quota_share: float = Field(default=0.9, gt=0)
    interval: float = Field(default=60.0, ge=1)
    timeout: float = Field(default=10.0, gt=0, le=120)


@hookimpl
def firstcause_probes(config: Config) -> Sequence[Probe]:
    if config.api_key is None and config.env_file is None:
        return []
    from firstcause_elevenlabs.probe import check_subscription  # noqa: PLC0415 - only where it is used

    return [
        Probe(
            name="elevenlabs",
            component=config.component,
            check=lambda: check_subscription(config),
            code="ELEVENLABS_UNREACHABLE",
            interval=config.interval,
            timeout=config.timeout + 1,
        )
    ]
