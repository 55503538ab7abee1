"""Fixtures that several areas share: both databases, and an environment without a developer's settings."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import settings

from firstcause.client import api
from support import shared_results
from support.postgres_databases import PostgresStores, create_postgres_database
from support.scenario_app import Phone, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# How long an example takes is the machine's business.
settings.register_profile("firstcause", deadline=None)
settings.load_profile("firstcause")

shared_results.share()

POSTGRES = os.environ.get("FIRSTCAUSE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


def pytest_xdist_auto_num_workers() -> int:
    """Twice as many workers as processors: many tests wait for a daemon, a browser or a database."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        reason = "figures need the machine: pytest -n 0 tests/benchmarks"
        for item in items:
            if item.get_closest_marker("alone"):
                item.add_marker(pytest.mark.skip(reason=reason))


def _explain_missing_postgres() -> str | None:
    try:
        psycopg.connect(POSTGRES, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        reason = str(error).splitlines()[0]
        return f"no Postgres at {POSTGRES}: {reason} (FIRSTCAUSE_TEST_POSTGRES names another)"
    return None


@pytest.fixture(scope="session")
def postgres_server() -> str:
    if reason := _explain_missing_postgres():
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return POSTGRES


@pytest.fixture(scope="session")
def postgres_stores(postgres_server: str) -> Iterator[PostgresStores]:
    with contextlib.closing(PostgresStores(postgres_server)) as stores:
        yield stores


_BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=_BOTH)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without rows: every test that asks for it runs on SQLite and on Postgres.

    On Postgres the schema is there already, and space that an earlier test used may be in the files.
    """
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
    else:
        with request.getfixturevalue("postgres_stores").lend() as url:
            yield url


@pytest.fixture(params=_BOTH)
def new_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new database without a schema, on SQLite and on Postgres."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
    else:
        with create_postgres_database(request.getfixturevalue("postgres_server")) as url:
            yield url


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the developer's leaks in, and nothing is written to the developer's home."""
    for name in [name for name in os.environ if name.startswith(("FIRSTCAUSE_", "TWILIO_"))]:
        if name != "FIRSTCAUSE_TEST_POSTGRES":
            monkeypatch.delenv(name)
    # Output that no terminal shows is not wrapped.
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def stage(store_url: str, tmp_path: Path) -> Iterator[Stage]:
    scenario = Stage(store_url, tmp_path)
    yield scenario
    scenario.app.close()


@pytest.fixture
def stages(store_url: str, tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Makes stages over one store."""
    made: list[Stage] = []

    def make(*phones: Phone, **settings: Any) -> Stage:
        made.append(Stage(store_url, tmp_path, *phones, **settings))
        return made[-1]

    yield make
    for scenario in made:
        scenario.app.close()


@pytest.fixture(autouse=True)
def _no_client_is_left() -> Iterator[None]:
    yield
    left, api._ProcessState.client = api._ProcessState.client, None
    if left is not None:
        left.close(5)
