"""Probes of SQL databases, one for each table `[plugins.sql.databases.<name>]`."""

from __future__ import annotations

import importlib.util
from functools import cached_property
from typing import TYPE_CHECKING

from firstcause import Probe, Reading, hookimpl
from firstcause_sql.config import Config, Database

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstcause_sql.looking import Looking

__all__ = ["Config", "firstcause_probes"]


@hookimpl
def firstcause_probes(config: Config) -> Sequence[Probe]:
    return [_probe(name, database) for name, database in config.databases.items()]


def _probe(name: str, database: Database) -> Probe:
    kind = database.kind
    if importlib.util.find_spec(kind.driver) is None:
        raise ModuleNotFoundError(f'{name}: {kind.driver} is not installed; pip install "{kind.install}"')

    later = _Later(database)
    return Probe(
        name=name,
        component=database.component or kind.component,
        check=later.look,
        close=later.close,
        code=kind.codes.unreachable,
        interval=database.interval,
        timeout=2 * database.timeout + 1,
    )


class _Later:
    """Imports SQLAlchemy, which takes a third of a second, when it is first asked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def look(self) -> Reading:
        return self._looking.look()

    def close(self) -> None:
        if "_looking" in self.__dict__:
            self._looking.close()

    @cached_property
    def _looking(self) -> Looking:
        from firstcause_sql.looking import Looking  # noqa: PLC0415

        return Looking(self._database)
