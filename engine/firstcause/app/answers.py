"""The type of the answer about firstcause itself. The API's schema is made of it."""

from __future__ import annotations

from typing import Literal

from firstcause.core.model import Frozen, Priority
from firstcause.core.selfcheck.serializers import ConditionAnswer, PublicConditionAnswer
from firstcause.core.text.timestamps import FormattedTime
from firstcause.health.answers import HealthStatus


class MistakeAnswer(Frozen):
    """One mistake in a rule file. line, column: counted from 1; 0 is the whole file."""

    path: str
    line: int
    column: int
    text: str


class RejectedRulesAnswer(Frozen):
    """Why newer rule files are not live. at: when they were read."""

    at: FormattedTime
    error: str
    mistakes: tuple[MistakeAnswer, ...]


class RulesAnswer(Frozen):
    """The live rules: how many. refused: None where the newest files are live."""

    files: int
    entries: int
    rules: int
    refused: RejectedRulesAnswer | None


class StoreAnswer(Frozen):
    """The store. waiting: events that wait for triage. unsent: messages that are not sent yet."""

    url: str
    bytes: int
    waiting: int
    unsent: int


class IntakeAnswer(Frozen):
    """What came in since the start, by format; all but `accepted` by reason or kind as well."""

    accepted: dict[str, int]
    rejected: dict[str, dict[str, int]]
    passed: dict[str, dict[str, int]]
    lost_by_senders: dict[str, dict[str, int]]


class ReadinessAnswer(Frozen):
    """Whether errors are handled. checks: by part "ok", or the worst that is wrong with it."""

    status: Literal["ok", "incomplete", "degraded", "unready"]
    checks: dict[str, str]
    conditions: tuple[PublicConditionAnswer, ...]


class LivenessAnswer(Frozen):
    """Whether the process works. loops: those that have ended or hang."""

    status: Literal["ok", "stalled"]
    loops: tuple[str, ...]


class StatusAnswer(Frozen):
    """How firstcause itself is. incidents: open ones by priority. health: status of the last full check."""

    version: str
    time: FormattedTime
    rules: RulesAnswer
    store: StoreAnswer
    incidents: dict[Priority, int]
    health: HealthStatus
    intake: IntakeAnswer
    conditions: tuple[ConditionAnswer, ...]


class CallCountsAnswer(Frozen):
    """What calls of one kind have cost since the start. seconds: in all of them together."""

    calls: int
    failures: int
    seconds: float
    last_error: str | None
    last_error_at: str | None


class PluginAnswer(Frozen):
    """A plugin. usage: by hook, or by such as "probe redis"."""

    name: str
    status: Literal["loaded", "failed", "disabled"]
    version: str | None
    module: str | None
    problems: tuple[str, ...]
    hooks: tuple[str, ...]
    usage: dict[str, CallCountsAnswer]


class PluginList(Frozen):
    """The plugins. store: url of the store that this process uses. since: when it started."""

    plugins: tuple[PluginAnswer, ...]
    store: str
    since: FormattedTime
