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
from firstcause.core.notification import NotifyReason
from firstcause.errors import StoreError
from firstcause.pipeline.decoding import decode
from firstcause.resources import shipped_path
from firstcause.store import (
    alerts,
    cause_overrides,
    inbox,
    incidents,
    notification_state,
    outbox,
    receiver_states,
    schema,
)
from firstcause.store.cause_overrides import CauseOverride
from firstcause.store.database import Database
from firstcause.store.schema import HEAD
from firstcause.store.tables import metadata
from support import shared_results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from firstcause.core.model import Alert, Incident
    from support.scenario_app import Stage

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

PREPARE = """
import sys
from firstcause.store.database import Database
database = Database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
database.prepare()
print(database.read_version())
"""


@pytest.fixture
def store_url(new_store_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new database, which the migrations themselves upgrade."""
    monkeypatch.setattr(schema, "upgrade", shared_results.run_migrations)
    return new_store_url


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


@pytest.mark.parametrize("version", ["9999", "0012"])
def test_a_schema_of_another_firstcause_is_refused_and_left_alone(database: Database, version: str) -> None:
    """A newer one, or one from before the first release."""
    database.inbox.store(inbox.pack_events([Event(id="a", time=NOON, code="A")]), NOON)
    before = tables_of(database)
    with database.write() as conn:
        conn.execute(sa.text(f"UPDATE alembic_version SET version_num = '{version}'"))
    refusal = (
        rf"^the database at .* has schema {version}, which .*\(schema {HEAD}\) does not know: .*; run the"
    )
    for use in (database.prepare, database.upgrade, lambda: database.downgrade("base")):
        with pytest.raises(StoreError, match=refusal) as caught:
            use()
        assert "\n" not in str(caught.value)
    assert database.read_version() == version
    assert tables_of(database) == before
    with database.read() as conn:
        assert database.inbox.count_pending(conn) == 1


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


def test_what_waits_outlives_a_downgrade_to_the_base(empty: Database) -> None:
    empty.prepare()
    body = b'[{"code": "C", "service": "s", "id": "7"}, {"code": "D", "tenant": null}]'
    empty.inbox.store([inbox.EventPayload(body, 2, verbatim=True, key="k")], NOON)
    empty.inbox.store(inbox.pack_events([Event(id="a", time=NOON, message="größer")]), NOON)
    with empty.read() as conn:
        batch = empty.inbox.load_pending(conn, 1)
    with empty.write() as conn:
        batch.mark_processed(conn)
    empty.downgrade("base")
    assert tables_of(empty) == {"inbox"}
    empty.upgrade()
    assert tables_of(empty) == set(metadata.tables)
    assert differences(empty) == []
    with empty.read() as conn:
        payloads = empty.inbox.load_pending(conn, 10).payloads
    assert [
        (decoded.event_id, decoded.event and decoded.event.code, decoded.event and decoded.event.message)
        for pending in payloads
        for decoded in decode(pending)
    ] == [("k-1", "D", None), ("a", None, "größer")]
    empty.inbox.store(inbox.pack_events([Event(id="b", time=NOON, code="B")]), NOON)
    with empty.read() as conn:
        assert empty.inbox.count_pending(conn) == 3


def test_a_downgrade_to_the_base_with_data_and_up_again(
    database: Database, an_incident: Callable[..., Incident], an_alert: Callable[..., Alert]
) -> None:
    with database.write() as conn:
        number = incidents.save(conn, an_incident("fault"))
        incidents.merge(conn, incidents.save(conn, an_incident("merged")), number, NOON)
        rows = alerts.save(conn, [an_alert("a", incident_id=number), an_alert("b", incident_id=number)])
        cause_overrides.add(conn, CauseOverride(rows["a"], rows["b"], NOON, "anna"))
        incidents.add_timeline_entry(conn, number, NOON, "opened")
        outbox.add(conn, number, NotifyReason.FIRST, NOON, {"all": ["sms"]})
    first = shape(database)
    database.downgrade("base")
    assert tables_of(database) == set()
    database.upgrade()
    assert shape(database) == first
    with database.read() as conn:
        assert incidents.load_open(conn) == []


def test_a_downgrade_beside_a_running_daemon_is_refused(database: Database, store_url: str) -> None:
    with contextlib.closing(Database(store_url)) as daemon:
        with daemon.hold_daemon_lock(), pytest.raises(StoreError, match="another firstcause daemon runs"):
            database.downgrade("base")
        assert database.read_version() == HEAD
        database.downgrade("base")
    assert database.read_version() is None


@pytest.mark.parametrize("version", [*sorted(schema._list_known_versions() - {HEAD}), "base"])
def test_a_downgrade_of_a_store_from_which_messages_were_sent(stage: Stage, version: str) -> None:
    stage.report(0, "TWILIO_API_FAILURE", tenant="a")
    stage.report(1, "SMS_DELIVERY_FAILURE", tenant="a")
    stage.deliver(60)
    assert [len(stage.rows(table)) for table in ("outbox", "notification_log", "receiver_state")] == [1, 1, 1]
    database = stage.app.database
    database.downgrade(version)
    database.upgrade()
    assert differences(database) == []
    assert len(stage.rows("notification_log")) == (version != "base")


def insert_old_incident(conn: sa.Connection, incident: Incident) -> int:
    """Insert an incident into the table as an earlier version has it."""
    old = sa.Table("incident", sa.MetaData(), autoload_with=conn)
    values = incident.model_dump(mode="json", exclude={"opened_at", "stored_id"})
    row = {name: value for name, value in values.items() if name in old.c} | {
        "root_code": incident.root.code,
        "opened_at": incident.opened_at,
        "impact": {},
    }
    return int(conn.execute(old.insert().returning(old.c.id), row).scalar_one())


def test_who_was_told_by_an_earlier_version_is_told_of_the_end(
    empty: Database, an_incident: Callable[..., Incident]
) -> None:
    empty.upgrade("0002")
    with empty.write() as conn:
        number, other = (insert_old_incident(conn, an_incident(fault)) for fault in ("fault", "other"))
        row = {
            "incident_id": number,
            "route": "all",
            "due_at": NOON,
            "maybe_repeat": False,
            "said_priority": "P0",
        }
        old = sa.Table("outbox", sa.MetaData(), autoload_with=conn)
        log = sa.Table("notification_log", sa.MetaData(), autoload_with=conn)
        conn.execute(
            old.insert(),
            [
                row
                | {
                    "id": 1,
                    "reason": "first",
                    "notifiers": ["sms", "mail"],
                    "outcome": "sent",
                    "said_fault": "fault",
                },
                row
                | {
                    "id": 2,
                    "reason": "new_root",
                    "notifiers": ["sms"],
                    "outcome": "sent",
                    "said_fault": "root",
                },
                row
                | {
                    "id": 3,
                    "incident_id": other,
                    "reason": "first",
                    "notifiers": ["sms"],
                    "outcome": "given up",
                    "said_fault": None,
                },
            ],
        )
        sent = {
            "incident_id": number, "at": NOON, "reason": "first", "status": "sent", "code": "C",
            "severity": "CRITICAL", "priority": "P0", "text": "t", "maybe_repeat": False, "intelligence": {},
        }  # fmt: skip
        for outbox_id, notifier, status in (
            (1, "sms", "failed"), (1, "mail", "sent"), (2, "sms", "sent"), (3, "sms", "failed"),
        ):  # fmt: skip
            conn.execute(
                log.insert().values(sent | {"outbox_id": outbox_id, "notifier": notifier, "status": status})
            )
    empty.upgrade()
    with empty.read() as conn:
        states = notification_state.load_state(conn, number)
        assert states["all"].open_receivers == ("mail", "sms")
        assert receiver_states.load(conn, number, "all", "sms").fault == "root"
        assert notification_state.load_state(conn, other)["all"].queued_reasons == {NotifyReason.FIRST}
    empty.downgrade("0002")
    empty.upgrade()
