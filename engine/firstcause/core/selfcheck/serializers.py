"""Conditions as JSON, and the types of these answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstcause.core.model import Frozen
from firstcause.core.selfcheck.conditions import Level
from firstcause.core.text.timestamps import FormattedTime, format_time

if TYPE_CHECKING:
    from firstcause.core.selfcheck.conditions import Condition


class PublicConditionAnswer(Frozen):
    """What is wrong with firstcause itself. about: the plugin, listener, notifier, route, probe or loop."""

    code: str
    level: Level
    about: str | None
    summary: str
    fix: str
    since: FormattedTime


class ConditionAnswer(PublicConditionAnswer):
    """The same with the text of the error."""

    detail: str


def serialize_condition(condition: Condition) -> dict[str, Any]:
    """Serialize a condition with the text of its error."""
    return serialize_public_condition(condition) | {"detail": condition.detail}


def serialize_public_condition(condition: Condition) -> dict[str, Any]:
    """Serialize a condition without the text of its error, which may name hosts and paths."""
    return {
        "code": condition.code,
        "level": condition.level.value,
        "about": condition.about,
        "summary": condition.summary,
        "fix": condition.fix,
        "since": format_time(condition.since),
    }
