"""Probes of SQL databases, one for each table `[plugins.sql.databases.<name>]`."""

from __future__ import annotations

import importlib.util
from functools import cached_property
from typing import TYPE_CHECKING

from firstcause import Probe, Reading, hookimpl
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
    if importlib.util.find_spec(kind.driver) is None:
        raise ModuleNotFoundError(f'{name}: {kind.driver} is not installed; pip install "{kind.install}"')

    lazy_probe = _LazyProbe(database)
    return Probe(
        name=name,
        component=database.component or kind.component,
        check=lazy_probe.check,
        close=lazy_probe.close,
        code=kind.codes.unreachable,
        interval=database.interval,
        timeout=2 * database.timeout + 1,
    )


class _LazyProbe:
    """Imports SQLAlchemy, which takes a third of a second, when it is first asked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self) -> Reading:
        return self._loaded_probe.check()

    def close(self) -> None:
        if "_loaded_probe" in self.__dict__:
            self._loaded_probe.close()

    @cached_property
    def _loaded_probe(self) -> SqlProbe:
        from firstcause_sql.probe import SqlProbe  # noqa: PLC0415

        return SqlProbe(self._database)
