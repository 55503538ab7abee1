from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from firstcause.core.model import Event
from firstcause.errors import StoreError
from firstcause.pipeline.decoding import decode
from firstcause.resources import shipped_path
from firstcause.store import inbox
from firstcause.store.database import HEAD, Database
from firstcause.store.tables import JsonDocument, UtcTime, event, metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PREPARE = """
import sys
from firstcause.store.database import Database
database = Database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
database.prepare()
print(database.version())
"""


@pytest.fixture
def empty(store_url: str) -> Iterator[Database]:
    with contextlib.closing(Database(store_url)) as database:
        yield database


def tables_of(database: Database) -> set[str]:
    with database.read() as conn:
        return set(sa.inspect(conn).get_table_names()) - {"alembic_version"}


def shape(database: Database) -> dict[str, Any]:
    """All that the database itself says of its tables; alembic compares no partial index's condition."""
    found: dict[str, Any] = {}
    with database.read() as conn:
        inspect = sa.inspect(conn)
        for name in set(inspect.get_table_names()) - {"alembic_version"}:
            found[name] = {
                "columns": {
                    each["name"]: (str(each["type"]), each["nullable"], each.get("default"))
                    for each in inspect.get_columns(name)
                },
                "key": inspect.get_pk_constraint(name),
                "uniques": by_name(inspect.get_unique_constraints(name)),
                "foreign": by_name(inspect.get_foreign_keys(name)),
                "indexes": by_name(inspect.get_indexes(name)),
            }
    return found


def by_name(found: list[Any]) -> list[str]:
    """In a form that can be compared: a condition is an object with no equality of its own."""
    return sorted(json.dumps(each, sort_keys=True, default=str) for each in found)


def differences(database: Database) -> list[Any]:
    with database.read() as conn:
        context = MigrationContext.configure(
            conn, opts={"compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, metadata))


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(shipped_path("migrations")))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_an_empty_database_is_prepared_and_then_left_alone(empty: Database) -> None:
    assert empty.read_version() is None
    empty.prepare()
    assert empty.read_version() == HEAD
    assert tables_of(empty) == set(metadata.tables)
    empty.prepare()
    assert empty.read_version() == HEAD


def test_the_migrations_make_what_the_tables_say(database: Database) -> None:
    assert differences(database) == []


def test_the_comparison_sees_a_difference(database: Database) -> None:
    with database.write() as conn:
        conn.execute(sa.text("DROP INDEX ix_alert_incident_id"))
        conn.execute(sa.text("ALTER TABLE inbox ADD COLUMN more INTEGER"))
    assert {each[0] for each in differences(database)} == {"add_index", "remove_column"}


def test_the_migrations_make_the_same_as_the_tables_do(database: Database) -> None:
    migrated = shape(database)
    conditions = [text for each in migrated.values() for text in each["indexes"] if "_where" in text]
    assert len(conditions) == 4
    database.downgrade("base")
    with database.write() as conn:
        metadata.create_all(conn)
    assert shape(database) == migrated


def test_up_down_and_up_again(empty: Database) -> None:
    empty.upgrade()
    first = shape(empty)
    empty.downgrade("base")
    assert empty.read_version() is None
    assert tables_of(empty) == set()
    empty.upgrade()
    assert empty.read_version() == HEAD
    assert shape(empty) == first


def test_a_newer_schema_is_refused_and_left_alone(database: Database) -> None:
    with database.write() as conn:
        conn.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=rf"schema 9999, which is newer .*\(schema {HEAD}\); install"):
        database.prepare()
    assert database.read_version() == "9999"


def test_an_unknown_version_to_go_to_is_refused(database: Database) -> None:
    with pytest.raises(StoreError, match=r"zzz.*`firstcause db current` shows the version"):
        database.upgrade("zzz")
    with pytest.raises(StoreError, match=r"`firstcause db current` shows the version"):
        database.downgrade("-99")
    assert database.read_version() == HEAD


def test_a_migration_that_fails_leaves_nothing(empty: Database) -> None:
    with empty.write() as conn:
        conn.execute(sa.text("CREATE TABLE timeline (id INTEGER)"))
    with pytest.raises(StoreError, match=r"timeline.* already exists"):
        empty.prepare()
    assert empty.read_version() is None
    assert tables_of(empty) == {"timeline"}


def test_processes_that_prepare_at_once_all_succeed(
    store_url: str, program: Callable[..., subprocess.Popen[str]]
) -> None:
    processes = [program(PREPARE, store_url) for _ in range(3)]
    for each in processes:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in processes:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    outputs = [each.communicate(timeout=60) for each in processes]
    assert outputs == [(f"{HEAD}\n", "")] * 3


def test_the_alembic_command_works_in_a_checkout(store_url: str) -> None:
    top = shipped_path("migrations").parent
    for command in (["upgrade", "head"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *command],
            cwd=top,
            env={**os.environ, "FIRSTCAUSE_STORE__URL": store_url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    with contextlib.closing(Database(store_url)) as database:
        assert database.read_version() == HEAD


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

OLD_ROWS = (
    ("shop:1", {"id": "shop:1", "time": "2026-03-01T12:00:00Z", "code": "A"}, "print", None),
    ("odd", {"colour": "red"}, None, "unreadable"),
    ("b", {"id": "b", "time": "2026-03-01T12:00:02Z", "message": "größer", "details": {"n": 1}}, None, None),
    ("a", {"id": "a", "time": "2026-03-01T12:00:03Z", "code": "B"}, None, None),
)
"""id, event, fingerprint, problem; those with neither wait for triage."""


def test_what_waits_is_carried_into_parcels_and_back(empty: Database) -> None:
    empty.upgrade("0006")
    old = sa.table(
        "inbox",
        *(sa.column(name) for name in ("event_id", "fingerprint", "problem")),
        *(sa.column(name, UtcTime) for name in ("received_at", "triaged_at")),
        sa.column("event", JsonDocument),
    )
    with empty.write() as conn:
        for name, document, fingerprint, problem in OLD_ROWS:
            triaged = NOON if fingerprint or problem else None
            values = {"event_id": name, "received_at": NOON, "triaged_at": triaged, "event": document}
            conn.execute(old.insert().values(values | {"fingerprint": fingerprint, "problem": problem}))
    empty.prepare()
    with empty.read() as conn:
        batch = empty.inbox.load_pending(conn, 10)
    waiting = [one for each in batch.payloads for one in decode(each)]
    assert [(each.event_id, each.event and each.event.message) for each in waiting] == [
        ("b", "größer"), ("a", None),
    ]  # fmt: skip
    with empty.read() as conn:
        kept = conn.execute(sa.select(event).order_by(event.c.id)).mappings().all()
    assert [(row["event_id"], row["fingerprint"], row["problem"]) for row in kept] == [
        ("shop:1", "print", None), ("odd", None, "unreadable"),
    ]  # fmt: skip
    body = b'[{"code": "C", "service": "s", "id": "7"}, {"code": "D", "tenant": null}]'
    later = datetime(2026, 3, 2, tzinfo=UTC)
    empty.inbox.store([inbox.EventPayload(body, 2, verbatim=True, key="k")], later)
    empty.inbox.store(inbox.pack_events([Event(id="shop:1", time=later, code="A")]), NOON)
    empty.downgrade("0006")
    with empty.read() as conn:
        rows = conn.execute(sa.text("SELECT event_id, event, triaged_at FROM inbox ORDER BY seq")).all()
    assert [(row.event_id, row.triaged_at is None) for row in rows] == [
        ("shop:1", False), ("odd", False), ("b", True), ("a", True), ("s:7", True), ("k-1", True),
    ]  # fmt: skip
    documents = [json.loads(row.event) if isinstance(row.event, str) else row.event for row in rows]
    assert [Event.model_validate(each).code for each in documents[2:]] == [None, "B", "C", "D"]
    empty.prepare()
    with empty.read() as conn:
        assert empty.inbox.count_pending(conn) == 4


def test_what_waits_goes_down_from_every_version_that_knows_the_journal(empty: Database) -> None:
    empty.prepare()
    empty.inbox.store(inbox.pack_events([Event(id="a", time=NOON, code="A")]), NOON)
    empty.downgrade("0011")
    # By a program of that version, in its journal or its table.
    empty.inbox.store(inbox.pack_events([Event(id="b", time=NOON, code="B")]), NOON)
    empty.downgrade("0010")
    with empty.read() as conn:
        rows = conn.execute(sa.text("SELECT events FROM inbox ORDER BY seq")).all()
    assert [row.events for row in rows] == [1, 1]
