"""Remedies: what plugins can mend by themselves, when a person says so."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstcause.errors import NotFoundError
from firstcause.plugins.timeouts import OverdueError, call, described

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from firstcause.core.privacy.masking import Mask
    from firstcause.hookspecs.types import Remedy
    from firstcause.incidents.actions import Acting

PATIENCE = 60.0
"""Seconds that a remedy has."""

_MILLISECONDS = 1000


@dataclass(frozen=True)
class Remedying:
    """remedies: by name, as plugins offer them."""

    remedies: Mapping[str, Remedy]
    acting: Acting
    mask: Mask

    def listed(self) -> list[dict[str, Any]]:
        """Their names and components; what each would do is asked with `plan`."""
        return [{"name": each.name, "component": each.component} for each in self.remedies.values()]

    def plan(self, name: str) -> dict[str, Any]:
        """What it would do, in words. Changes nothing."""
        return {"name": name, "component": self._named(name).component} | self._tried(name, "plan")

    def run(self, name: str, now: datetime, by: str) -> dict[str, Any]:
        """{name, ok, text, ms}: done, or why not. Taken down in the audit log before it begins."""
        self._named(name)
        self.acting.note(now, by, "began", about=f"remedy {name}")
        done = self._tried(name, "run")
        outcome = "done" if done["ok"] else "failed"
        self.acting.note(now, by, f"{outcome}: {done['text']}", about=f"remedy {name}")
        return {"name": name, **done}

    def _named(self, name: str) -> Remedy:
        if name not in self.remedies:
            known = ", ".join(self.remedies) or "none; plugins offer them"
            msg = f"no remedy {name!r}; there are: {known}"
            raise NotFoundError(msg)
        return self.remedies[name]

    def _tried(self, name: str, what: str) -> dict[str, Any]:
        asked: Callable[[], str] = getattr(self._named(name), what)
        began = time.monotonic()
        try:
            text, well = str(call(asked, PATIENCE, f"remedy {name}")), True
        except OverdueError as error:
            text, well = str(error), False
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            text, well = described(error), False
        lasted = round((time.monotonic() - began) * _MILLISECONDS, 1)
        return {"ok": well, "text": self.mask.text(text), "ms": lasted}
