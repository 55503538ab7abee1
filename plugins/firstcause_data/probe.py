"""Counts rows. If the database is unreachable the count is unknown; the database's own probe says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause import MALFORMED_URL, Findings, Reading, require_library

if TYPE_CHECKING:
    from firstcause_data.config import Count


class CountProbe:
    """One count, with a connection for each: it is asked seldom."""

    def __init__(self, name: str, count: Count) -> None:
        self._name = name
        self._count = count

    def check(self) -> Reading:
        findings = Findings()
        count = self._count
        try:
            total = _count_in_mongo(count, findings) if count.is_mongo else _count_in_sql(count, findings)
        except Exception as error:  # noqa: BLE001 - drivers raise what they like
            findings.degraded(f"cannot be counted: {_describe_error(error)}")
            return findings.reading("")
        findings.record_latency()
        findings.measure("count", total)
        if total < count.minimum:
            findings.down(f"{total} {self._name}, but there must be at least {count.minimum}", count.code)
        return findings.reading(f"{total} {self._name}")


def _describe_error(error: Exception) -> str:
    """Without the statement and the URL, which SQLAlchemy adds."""
    cause: Any = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {' '.join(str(cause.args[-1] if cause.args else cause).split())[:200]}"


def _count_in_sql(count: Count, findings: Findings) -> int:
    import sqlalchemy as sa  # noqa: PLC0415 - a third of a second, when it is first asked

    # Without it the drivers wait for minutes for a host that swallows. SQLite has no such option.
    limits = {} if count.is_sqlite else {"connect_timeout": max(1, round(count.timeout))}
    try:
        engine = sa.create_engine(count.sqlalchemy_url, poolclass=sa.NullPool, connect_args=limits)
    except (sa.exc.ArgumentError, ValueError):
        # The library's words may hold a part of the password.
        raise ValueError(MALFORMED_URL) from None
    try:
        with engine.connect() as conn:
            findings.restart()
            answer = conn.execute(sa.text(count.query or "")).scalar()
    finally:
        engine.dispose()
    if isinstance(answer, bool) or not isinstance(answer, int):
        raise TypeError(f"the query answered {answer!r}, not one whole number")
    return answer


def _count_in_mongo(count: Count, findings: Findings) -> int:
    require_library("pymongo", "firstcause[mongodb]")
    from pymongo import MongoClient, errors  # noqa: PLC0415 - an extra

    timeout_ms = round(count.timeout * 1000)
    url = count.url.get_secret_value()
    try:
        mongo_client = MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=timeout_ms)
    except (errors.InvalidURI, ValueError):
        raise ValueError(MALFORMED_URL) from None
    with mongo_client as client:
        findings.restart()
        collection = client.get_default_database()[count.collection or ""]
        return collection.count_documents(count.filter, maxTimeMS=timeout_ms)
