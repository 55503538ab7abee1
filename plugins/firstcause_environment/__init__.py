"""Probes of required settings, one for each table `[plugins.environment.apps.<name>]`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field

from firstcause import Findings, Probe, Reading, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence


class App(BaseModel):
    """required: variables that must be set to something, in env_file, or where none is named in our own
    environment. code: the error where one is missing. interval: seconds.
    """

    model_config = ConfigDict(extra="forbid")

    required: tuple[str, ...] = Field(min_length=1)
    env_file: str | None = None
    component: str
    code: str = "PLATFORM_HEALTH_CHECK_CRITICAL"
    interval: float = Field(default=60.0, ge=1)


class Config(BaseModel):
    """`[plugins.environment]`."""

    model_config = ConfigDict(extra="forbid")

    apps: dict[str, App] = Field(default_factory=dict)


@hookimpl
def firstcause_probes(config: Config) -> Sequence[Probe]:
    return [
        Probe(name, app.component, lambda app=app: _check_app(app), app.code, interval=app.interval)  # type: ignore[misc]
        for name, app in config.apps.items()
    ]


def _check_app(app: App) -> Reading:
    findings = Findings()
    if app.env_file is None:
        values: dict[str, str | None] = dict(os.environ)
        source = "the environment"
    else:
        path = Path(app.env_file)
        source = path.name
        if not path.is_file():
            findings.down(f"{source} is not there", app.code)
            return findings.reading("")
        values = dict(dotenv_values(path))
    missing = [name for name in app.required if not values.get(name)]
    findings.measure("missing", len(missing))
    findings.record_latency()
    if missing:
        findings.down(f"{', '.join(missing)} not set in {source}", app.code)
    return findings.reading(f"{len(app.required)} of {len(app.required)} set")
