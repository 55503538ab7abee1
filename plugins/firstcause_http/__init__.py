"""Probes that ask a URL, one for each table `[plugins.http.checks.<name>]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause import Probe, hookimpl
from firstcause_http.config import Check, Config

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Config", "firstcause_probes"]


@hookimpl
def firstcause_probes(config: Config) -> Sequence[Probe]:
    return [_build_probe(name, check) for name, check in config.checks.items()]


def _build_probe(name: str, check: Check) -> Probe:
    from firstcause_http.probe import check_url  # noqa: PLC0415 - only where there is a check

    return Probe(
        name=name,
        component=check.component,
        check=lambda: check_url(check),
        code=check.code,
        interval=check.interval,
        # The request reaches its own timeout first, whose error says more.
        timeout=check.timeout + 1,
    )
