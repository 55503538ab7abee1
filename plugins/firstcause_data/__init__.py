"""Probes that count, one for each table `[plugins.data.counts.<name>]`: companies, contacts, templates.

A count below what must be there is an error; one that falls or grows much is a regression, of which the
rules of the last known good state decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause import Probe, hookimpl
from firstcause_data.config import Config, Count

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Config", "firstcause_probes"]


@hookimpl
def firstcause_probes(config: Config) -> Sequence[Probe]:
    return [_build_probe(name, count) for name, count in config.counts.items()]


def _build_probe(name: str, count: Count) -> Probe:
    from firstcause_data.probe import CountProbe  # noqa: PLC0415 - only where it is used

    return Probe(
        name=name,
        component=count.component,
        check=CountProbe(name, count).check,
        code=count.code,
        interval=count.interval,
        timeout=2 * count.timeout + 1,
        button_label=f"Re-scan {name}",
    )
