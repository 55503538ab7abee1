"""What the caller's thread takes of an error; all that costs time happens later, on the worker's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from firstcause.client import sanitize
from firstcause.client.exception_info import calling, chain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firstcause.client.exception_info import Place, Raised

_SEVERITIES = frozenset({
    "DEBUG", "NOTICE", "INFO", "INFORMATION", "WARN", "WARNING", "ERR", "ERROR", "CRIT", "CRITICAL", "FATAL",
    "ALERT", "EMERGENCY",
})  # fmt: skip


class Seen(NamedTuple):
    """fields: of the event, plain already. at: seconds since 1970. where: None where raised knows it."""

    fields: dict[str, Any]
    at: float
    raised: tuple[Raised, ...] = ()
    where: Place | None = None


def seen(
    error: BaseException | None,
    given: Mapping[str, Any],
    bound: Mapping[str, Any] | None,
    where: Place | None = None,
    at: float | None = None,
) -> Seen:
    """given: fields of the event as the caller has them. bound: those that hold for all within a context."""
    fields: dict[str, Any] = {"id": given["id"]}
    more: dict[str, Any] = {}
    for key in ("code", "tenant", "service"):
        value = given.get(key)
        if value is None and bound is not None:
            value = bound.get(key)
        if (text := sanitize.name(value)) is not None:
            fields[key] = text
    if given.get("message") is not None and (message := sanitize.words(given["message"]).strip()):
        fields["message"] = message
    if (severity := given.get("severity")) is not None:
        known = str(severity).strip().upper()
        (fields if known in _SEVERITIES else more)["severity"] = known[: sanitize.LONGEST_NAME]
    if given.get("resolved"):
        fields["resolved"] = True
    _add_particulars(fields, given, bound, more)
    raised = chain(error) if error is not None else ()
    if "code" not in fields and "message" not in fields and not raised:
        fields["message"] = "an error without code and message was reported"
    if where is None and not (raised and raised[0].steps):
        return Seen(fields, time.time() if at is None else at, raised, calling())
    return Seen(fields, time.time() if at is None else at, raised, where)


def _add_particulars(
    fields: dict[str, Any], given: Mapping[str, Any], bound: Mapping[str, Any] | None, more: dict[str, Any]
) -> None:
    details, tags = given.get("details"), given.get("tags")
    if bound is not None:
        details = {**(bound.get("details") or {}), **_mapping(details)}
        tags = {**(bound.get("tags") or {}), **_mapping(tags)}
    if details or more:
        fields["details"] = {**sanitize.details(details), **more}
    if tags:
        found = sanitize.details(tags)
        fields["tags"] = {
            key: sanitize.words(value, sanitize.LONGEST_TEXT // 4) for key, value in found.items()
        }


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {"value": value} if value else {}
