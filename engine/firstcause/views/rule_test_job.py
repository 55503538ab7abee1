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

    from firstcause.rulebase.rulebase import Rulebase

log = logging.getLogger("firstcause.service")

_STOP_TIMEOUT_S = 20.0
"""Seconds that one test may still go on when everything ends."""


@dataclass
class RuleTestProgress:
    """What came of the tests so far."""

    started_at: datetime
    total: int = 0
    completed: int = 0
    failed: list[dict[str, Any]] = field(default_factory=list)
    finished: bool = False
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "began": format_time(self.started_at),
            "total": self.total,
            "done": self.completed,
            "failed": list(self.failed),
            "over": self.finished,
            "error": self.error,
        }


class RuleTestJob:
    """Runs them in a thread, by rules of its own: a reload meanwhile closes the daemon's."""

    def __init__(self, load_rulebase: Callable[[], Rulebase]) -> None:
        self._load_rulebase = load_rulebase
        self._lock = threading.Lock()
        self._progress: RuleTestProgress | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def progress(self) -> dict[str, Any] | None:
        return self._progress.to_dict() if self._progress is not None else None

    def start(self, now: datetime) -> None:
        """Nothing where they run already."""
        with self._lock:
            if self._progress is not None and not self._progress.finished:
                return
            self._progress = RuleTestProgress(now)
            args = (self._progress,)
            self._thread = threading.Thread(target=self._run_tests, args=args, name="rule tests", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End after the test that runs now."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)

    def _run_tests(self, progress: RuleTestProgress) -> None:
        try:
            rulebase = self._load_rulebase()
            try:
                progress.total = len(rulebase.book.tests)
                for result in rule_tests.run_rule_tests(rulebase, rulebase.book.tests):
                    if self._stopping.is_set():
                        break
                    progress.completed += 1
                    if not result.passed:
                        progress.failed.append(_describe_failure(result))
            finally:
                rulebase.close()
        except FirstcauseError as error:
            progress.error = str(error)
        except Exception:
            log.exception("the tests of the rule files could not be run")
            progress.error = "Internal error; see the firstcause log."
        finally:
            progress.finished = True


def _describe_failure(result: rule_tests.RuleTestResult) -> dict[str, Any]:
    return {
        "name": result.test.test.name,
        "file": result.test.file,
        "line": result.test.line,
        "differences": [
            f"{difference.field}: expected {difference.expected}, got {difference.got}"
            for difference in result.differences
        ],
    }
