"""A server that does as it is told, and a client of the process that ends with each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import firstcause
from support.faulty_daemon import FaultyDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[FaultyDaemon]:
    with FaultyDaemon() as running:
        yield running


@pytest.fixture
def reporting(server: FaultyDaemon, tmp_path: Path) -> FaultyDaemon:
    """The server, to which the process's client reports."""
    firstcause.configure(server.url, service="shop", spool=tmp_path / "spool")
    return server
