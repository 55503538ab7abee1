"""The fixtures that plugins' tests use."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from firstcause.testing.host import Host
from firstcause.testing.sinks import HttpSink, SmtpSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def plugin_host(tmp_path: Path) -> Iterator[Callable[..., Host]]:
    """Make a host with a plugin in it: `plugin_host(module, name="queue", config={...})`.

    The arguments are those of `firstcause.testing.Host`, without its folder.
    """
    hosts: list[Host] = []

    numbers = itertools.count()

    def make(*modules: Any, **arguments: Any) -> Host:
        folder = tmp_path / f"firstcause-{next(numbers)}"
        folder.mkdir()
        hosts.append(Host(folder, *modules, **arguments))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


@pytest.fixture
def http_sink() -> Iterator[HttpSink]:
    """A web server on loopback that keeps what it gets."""
    with HttpSink() as sink:
        yield sink


@pytest.fixture
def smtp_sink() -> Iterator[SmtpSink]:
    """A mail server on loopback that keeps what it gets. Needs aiosmtpd: `firstcause[testing]`."""
    with SmtpSink() as sink:
        yield sink
