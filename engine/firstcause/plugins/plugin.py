"""One plugin as the host knows it: its module and settings, its problems, and what its calls cost."""

from __future__ import annotations

import functools
import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from firstcause.plugins.timeouts import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

T = TypeVar("T")

log = logging.getLogger("firstcause.host")

REPEAT_INTERVAL_S = 60.0
"""Seconds within which the same kind of problem of one plugin is logged once, with its count."""

_MAX_PROBLEMS = 20


def count_calls(plugin: Plugin, what: str, function: Callable[..., T]) -> Callable[..., T]:
    """Make a function that calls this one, and counts its calls, its failures and its time."""

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> T:
        started = plugin.clock()
        error: str | None = "it was ended"
        try:
            result = function(*arguments, **named)
            error = None
        except BaseException as raised:
            error = describe_error(raised)
            raise
        finally:
            plugin.count_call(what, plugin.clock() - started, error)
        return result

    return call


@dataclass(frozen=True)
class CallCounts:
    """What a plugin's calls of one kind have cost since the process began. seconds: in all of them together.

    last_error: of the last call that failed, None if none did. last_error_at: ISO 8601.
    """

    calls: int = 0
    failures: int = 0
    seconds: float = 0.0
    last_error: str | None = None
    last_error_at: str | None = None


@dataclass(frozen=True)
class PluginState:
    """What `plugins list` shows. status: loaded, failed or disabled.

    problems: one line each. hooks: those that are called. usage: by hook, or by probe, notifier, format,
    listener and remedy, such as "probe redis".
    """

    name: str
    status: str
    version: str | None = None
    module: str | None = None
    problems: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    usage: dict[str, CallCounts] = field(default_factory=dict)


class ProblemKind(StrEnum):
    """How a problem of a plugin ends.

    LASTING: with a restart. CALL: when calls of it succeed again. LISTENER: when its listener runs again.
    RULES: with the next reload of the rule files.
    """

    LASTING = "lasting"
    CALL = "call"
    LISTENER = "listener"
    RULES = "rules"


@dataclass
class ProblemRecord:
    """When a problem was first and last seen, and how often."""

    kind: ProblemKind
    since: datetime
    last_at: datetime
    count: int = 1


@dataclass
class _LogLimit:
    """When a kind of problem was last logged, and how many were held back since."""

    logged_at: float
    held_back: int = 0


@dataclass
class Plugin:
    """One plugin and its state.

    module: None if it was not imported. configured: False if its settings are wrong; hooks that take
    `config` are then not called. distribution: the package that has it. order: place among the plugins that
    enrich; smaller comes first.
    """

    name: str
    module: Any = None
    version: str | None = None
    distribution: str | None = None
    config: BaseModel | None = None
    configured: bool = True
    disabled: bool = False
    order: int = 0
    problems: dict[str, ProblemRecord] = field(default_factory=dict)
    usage: dict[str, CallCounts] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    _log_limits: dict[str, _LogLimit] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add_problem(
        self, text: str, kind: ProblemKind = ProblemKind.LASTING, *, about: str | None = None
    ) -> None:
        """Keep a problem; of each kind of problem one a minute is logged, with the number of the others.

        The latest 20 are kept. about: what tells kinds of problems apart where texts differ each time, such
        as "firstcause_enrich"; None: the text.
        """
        now = datetime.now(UTC)
        with self._lock:
            record = self.problems.get(text)
            if record is not None:
                record.last_at = now
                record.count += 1
            else:
                if len(self.problems) >= _MAX_PROBLEMS:
                    self.problems.pop(next(iter(self.problems)), None)
                self.problems[text] = ProblemRecord(kind, now, now)
            held_back = self._count_held_back(about or text, is_new=record is None, once=about is None)
        if held_back is not None:
            suffix = f" ({held_back} more like it were not logged)" if held_back else ""
            log.warning("plugin %s: %s%s", self.name, text, suffix)

    def _count_held_back(self, about: str, *, is_new: bool, once: bool) -> int | None:
        """Return how many were not logged since the last one; None where this one is not logged either."""
        now = self.clock()
        limit = self._log_limits.get(about)
        if limit is None:
            self._log_limits[about] = _LogLimit(now)
            return 0
        if (once and not is_new) or now - limit.logged_at < REPEAT_INTERVAL_S:
            limit.held_back += 1
            return None
        held_back, limit.held_back, limit.logged_at = limit.held_back, 0, now
        return held_back

    def forget_problems(self, kind: ProblemKind) -> None:
        """Forget the problems that end in this way."""
        with self._lock:
            for text in [text for text, record in self.problems.items() if record.kind is kind]:
                del self.problems[text]

    def count_call(self, what: str, seconds: float, error: str | None = None, *, calls: int = 1) -> None:
        """Count calls. what: the hook, or such as "probe redis". error: None where none failed."""
        with self._lock:
            counts = self.usage.get(what, CallCounts())
            failed_at = datetime.now(UTC).isoformat(timespec="seconds") if error else counts.last_error_at
            self.usage[what] = CallCounts(
                counts.calls + calls,
                counts.failures + (error is not None),
                counts.seconds + seconds,
                error or counts.last_error,
                failed_at,
            )
