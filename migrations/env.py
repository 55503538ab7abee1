"""Alembic's entry. firstcause hands over its connection; the alembic command takes $FIRSTCAUSE_STORE__URL."""

from __future__ import annotations

import os

from alembic import context

from firstcause.store.database import Database
from firstcause.store.tables import metadata


def _run_migrations() -> None:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        render_as_batch=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.config.attributes.get("connection") is None:
    database = Database(os.environ["FIRSTCAUSE_STORE__URL"])
    with database.write() as connection:
        context.config.attributes["connection"] = connection
        _run_migrations()
    database.close()
else:
    _run_migrations()
