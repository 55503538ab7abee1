"""Remedies: fixes that plugins offer and that run when a person starts them."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from firstcause.errors import NotFoundError
from firstcause.incidents.actions import record_audit
from firstcause.plugins.timeouts import CallTimeoutError, call_with_timeout, describe_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from firstcause.core.privacy.masking import Mask
    from firstcause.hookspecs.types import Remedy
    from firstcause.store.database import Database

REMEDY_TIMEOUT_S = 60.0
"""Seconds after which a remedy is given up."""

_MS_PER_SECOND = 1000


class RemedyRunner:
    """Plans and runs remedies.

    list_available: returns the remedies that plugins offer.
    """

    def __init__(
        self,
        database: Database,
        list_available: Callable[[], Sequence[Remedy]],
        get_mask: Callable[[], Mask],
    ) -> None:
        self._database = database
        self._list_available = list_available
        self._get_mask = get_mask

    @cached_property
    def _remedies(self) -> Mapping[str, Remedy]:
        return {remedy.name: remedy for remedy in self._list_available()}

    def list_remedies(self) -> list[dict[str, Any]]:
        """Their names and components. `plan` tells what a remedy would do."""
        return [{"name": remedy.name, "component": remedy.component} for remedy in self._remedies.values()]

    def plan(self, name: str) -> dict[str, Any]:
        """Describe what a remedy would do, without doing it. NotFoundError."""
        return {"name": name, "component": self._get_remedy(name).component} | self._call_remedy(name, "plan")

    def run(self, name: str, now: datetime, actor: str) -> dict[str, Any]:
        """Run a remedy. Returns {name, ok, text, ms}. NotFoundError.

        The audit log has an entry before the remedy begins, and one with its outcome.
        """
        self._get_remedy(name)
        record_audit(self._database, now, actor, "began", about=f"remedy {name}")
        result = self._call_remedy(name, "run")
        outcome = "done" if result["ok"] else "failed"
        record_audit(self._database, now, actor, f"{outcome}: {result['text']}", about=f"remedy {name}")
        return {"name": name, **result}

    def _get_remedy(self, name: str) -> Remedy:
        if name not in self._remedies:
            available = ", ".join(self._remedies) or "none; plugins offer them"
            msg = f"no remedy {name!r}; there are: {available}"
            raise NotFoundError(msg)
        return self._remedies[name]

    def _call_remedy(self, name: str, step: str) -> dict[str, Any]:
        function: Callable[[], str] = getattr(self._get_remedy(name), step)
        started = time.monotonic()
        try:
            text, succeeded = str(call_with_timeout(function, REMEDY_TIMEOUT_S, f"remedy {name}")), True
        except CallTimeoutError as error:
            text, succeeded = str(error), False
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            text, succeeded = describe_error(error), False
        duration_ms = round((time.monotonic() - started) * _MS_PER_SECOND, 1)
        return {"ok": succeeded, "text": self._get_mask().mask_text(text), "ms": duration_ms}
