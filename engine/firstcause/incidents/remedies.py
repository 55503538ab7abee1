"""Remedies: fixes that plugins run when a person confirms them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstcause.errors import NotFoundError
from firstcause.plugins.timeouts import CallTimeoutError, call_with_timeout, describe_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from firstcause.core.privacy.masking import Mask
    from firstcause.hookspecs.types import Remedy
    from firstcause.incidents.actions import IncidentActions

REMEDY_TIMEOUT_S = 60.0
"""Seconds that a remedy has."""

_MS_PER_SECOND = 1000


@dataclass(frozen=True)
class RemedyRunner:
    """remedies: by name, as plugins offer them."""

    remedies: Mapping[str, Remedy]
    actions: IncidentActions
    mask: Mask

    def list_remedies(self) -> list[dict[str, Any]]:
        """Their names and components; what each would do is asked with `plan`."""
        return [{"name": remedy.name, "component": remedy.component} for remedy in self.remedies.values()]

    def plan(self, name: str) -> dict[str, Any]:
        """What it would do, in words. Changes nothing."""
        return {"name": name, "component": self._get_remedy(name).component} | self._call_remedy(name, "plan")

    def run(self, name: str, now: datetime, actor: str) -> dict[str, Any]:
        """{name, ok, text, ms}: done, or why not. Taken down in the audit log before it begins."""
        self._get_remedy(name)
        self.actions.record_audit(now, actor, "began", about=f"remedy {name}")
        result = self._call_remedy(name, "run")
        outcome = "done" if result["ok"] else "failed"
        self.actions.record_audit(now, actor, f"{outcome}: {result['text']}", about=f"remedy {name}")
        return {"name": name, **result}

    def _get_remedy(self, name: str) -> Remedy:
        if name not in self.remedies:
            available = ", ".join(self.remedies) or "none; plugins offer them"
            msg = f"no remedy {name!r}; there are: {available}"
            raise NotFoundError(msg)
        return self.remedies[name]

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
        return {"ok": succeeded, "text": self.mask.mask_text(text), "ms": duration_ms}
