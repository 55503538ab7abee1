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
        Probe(name, app.component, lambda app=app: _look(app), app.code, interval=app.interval)  # type: ignore[misc]
        for name, app in config.apps.items()
    ]


def _look(app: App) -> Reading:
    found = Findings()
    if app.env_file is None:
        values: dict[str, str | None] = dict(os.environ)
        place = "the environment"
    else:
        path = Path(app.env_file)
        place = path.name
        if not path.is_file():
            found.down(f"{place} is not there", app.code)
            return found.reading("")
        values = dict(dotenv_values(path))
    missing = [name for name in app.required if not values.get(name)]
    found.measure("missing", len(missing))
    found.answered()
    if missing:
        found.down(f"{', '.join(missing)} not set in {place}", app.code)
    return found.reading(f"{len(app.required)} of {len(app.required)} set")
