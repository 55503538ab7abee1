"""Probes of SQL databases, one for each table `[plugins.sql.databases.<name>]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause import Probe, hookimpl, lazy_probe, require_library
from firstcause_sql.config import Config, Database

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstcause_sql.probe import SqlProbe

__all__ = ["Config", "firstcause_probes"]


@hookimpl
def firstcause_probes(config: Config) -> Sequence[Probe]:
    return [_build_probe(name, database) for name, database in config.databases.items()]


def _build_probe(name: str, database: Database) -> Probe:
    kind = database.kind
    require_library(kind.driver, kind.install)

    def make_checker() -> SqlProbe:
        from firstcause_sql.probe import SqlProbe  # noqa: PLC0415 - SQLAlchemy takes a third of a second

        return SqlProbe(database)

    return lazy_probe(
        name,
        make_checker,
        component=database.component or kind.component,
        code=kind.codes.unreachable,
        interval=database.interval,
        # A check sends several queries, each with a limit of its own.
        timeout=2 * database.timeout + 1,
    )
