"""The tests of the rule files, run beside everything else when somebody asks."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from firstcause.core.text.timestamps import format_time
from firstcause.errors import FirstcauseError
from firstcause.simulation import rule_tests

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from firstcause.rulebase.rulebase import Knowledge

log = logging.getLogger("firstcause.service")

_LONGEST = 20.0
"""Seconds that one test may still go on when everything ends."""


@dataclass
class Progress:
    """What came of the tests so far."""

    began: datetime
    total: int = 0
    done: int = 0
    failed: list[dict[str, Any]] = field(default_factory=list)
    over: bool = False
    error: str | None = None

    def answer(self) -> dict[str, Any]:
        return {
            "began": format_time(self.began),
            "total": self.total,
            "done": self.done,
            "failed": list(self.failed),
            "over": self.over,
            "error": self.error,
        }


class RuleTesting:
    """Runs them in a thread, by rules of its own: a reload meanwhile closes the daemon's."""

    def __init__(self, learned: Callable[[], Knowledge]) -> None:
        self._learned = learned
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def progress(self) -> dict[str, Any] | None:
        return self._progress.answer() if self._progress is not None else None

    def begin(self, now: datetime) -> None:
        """Nothing where they run already."""
        with self._lock:
            if self._progress is not None and not self._progress.over:
                return
            self._progress = Progress(now)
            given = (self._progress,)
            self._thread = threading.Thread(target=self._run, args=given, name="rule tests", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End after the test that runs now."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(_LONGEST)

    def _run(self, progress: Progress) -> None:
        try:
            knowledge = self._learned()
            try:
                progress.total = len(knowledge.book.tests)
                for result in rule_tests.run(knowledge, knowledge.book.tests):
                    if self._stopped.is_set():
                        break
                    progress.done += 1
                    if not result.passed:
                        progress.failed.append(_failed(result))
            finally:
                knowledge.close()
        except FirstcauseError as error:
            progress.error = str(error)
        except Exception:
            log.exception("the tests of the rule files could not be run")
            progress.error = "firstcause made a mistake; its log says which"
        finally:
            progress.over = True


def _failed(result: rule_tests.Result) -> dict[str, Any]:
    return {
        "name": result.test.test.name,
        "file": result.test.file,
        "line": result.test.line,
        "differences": [
            f"{each.field}: expected {each.expected}, got {each.got}" for each in result.differences
        ],
    }
