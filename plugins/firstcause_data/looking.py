"""Counts. Where the database is away nothing is known of the count; its own probe says that it is away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause import Findings, Reading

if TYPE_CHECKING:
    from firstcause_data.config import Count


class Looking:
    """One count, with a connection for each: it is asked seldom."""

    def __init__(self, name: str, count: Count) -> None:
        self._name = name
        self._count = count

    def look(self) -> Reading:
        found = Findings()
        count = self._count
        try:
            number = _in_mongo(count, found) if count.mongo else _in_sql(count, found)
        except Exception as error:  # noqa: BLE001 - drivers raise what they like
            found.degraded(f"cannot be counted: {_said(error)}")
            return found.reading("")
        found.answered()
        found.measure("count", number)
        if number < count.least:
            found.down(f"{number} {self._name}, and there must be {count.least} at least", count.code)
        return found.reading(f"{number} {self._name}")


def _said(error: Exception) -> str:
    """Without the statement and the URL, which SQLAlchemy adds."""
    own: Any = getattr(error, "orig", None) or error
    return f"{type(own).__name__}: {' '.join(str(own.args[-1] if own.args else own).split())[:200]}"


def _in_sql(count: Count, found: Findings) -> int:
    import sqlalchemy as sa  # noqa: PLC0415 - a third of a second, when it is first asked

    engine = sa.create_engine(count.address, poolclass=sa.NullPool)
    try:
        with engine.connect() as conn:
            found.restart()
            answer = conn.execute(sa.text(count.query or "")).scalar()
    finally:
        engine.dispose()
    if isinstance(answer, bool) or not isinstance(answer, int):
        raise TypeError(f"the query answered {answer!r}, not one whole number")
    return answer


def _in_mongo(count: Count, found: Findings) -> int:
    try:
        from pymongo import MongoClient  # noqa: PLC0415 - an extra
    except ImportError:
        raise ModuleNotFoundError('pymongo is not installed; pip install "firstcause[mongodb]"') from None
    wait = round(count.timeout * 1000)
    with MongoClient[dict[str, Any]](count.url.get_secret_value(), serverSelectionTimeoutMS=wait) as client:
        found.restart()
        collection = client.get_default_database()[count.collection or ""]
        return collection.count_documents(count.filter, maxTimeMS=wait)
