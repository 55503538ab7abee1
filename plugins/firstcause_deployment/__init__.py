"""Probes of what is deployed, one for each table `[plugins.deployment.apps.<name>]`: commit, packages, files.

A change of these is not a problem, so the probe stays UP. But it is the first suspect when something
else gets worse: snapshots keep what was read here and show what changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from firstcause import Probe, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence


class App(BaseModel):
    """What to read of one application; what is left out is not read.

    repository: a folder with a git checkout. commit_env: variables that hold the commit, the first that is
    set counts; looked up in env_file where there is one. packages: its site-packages folder.
    files: configuration files, of which only a checksum is kept. code: the error where nothing of it can be
    read, None for none. interval, timeout: seconds.
    """

    model_config = ConfigDict(extra="forbid")

    component: str
    repository: str | None = None
    commit_env: tuple[str, ...] = ("RENDER_GIT_COMMIT", "GIT_COMMIT", "SOURCE_VERSION")
    env_file: str | None = None
    packages: str | None = None
    files: tuple[str, ...] = ()
    interval: float = Field(default=60.0, ge=1)
    timeout: float = Field(default=10.0, gt=0, le=120)


class Config(BaseModel):
    """`[plugins.deployment]`."""

    model_config = ConfigDict(extra="forbid")

    apps: dict[str, App] = Field(default_factory=dict)


@hookimpl
def firstcause_probes(config: Config) -> Sequence[Probe]:
    return [_build_probe(name, app) for name, app in config.apps.items()]


def _build_probe(name: str, app: App) -> Probe:
    from firstcause_deployment.probe import check_deployment  # noqa: PLC0415 - only where it is used

    return Probe(
        name=name,
        component=app.component,
        check=lambda: check_deployment(app),
        code="PLATFORM_HEALTH_CHECK_CRITICAL",
        interval=app.interval,
        timeout=app.timeout,
    )
