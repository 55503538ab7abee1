"""The scopes whose rules wait for a later evaluation, because one evaluation is bounded."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

log = logging.getLogger("firstcause.service")


@dataclass
class WaitingScopes:
    """Tenants, None for the platform, whose alerts keep their verdicts until they are evaluated again.

    since: since when any has been waiting, None where none waits.
    """

    tenants: tuple[str | None, ...] = ()
    since: datetime | None = None

    @contextmanager
    def kept_on_failure(self) -> Iterator[None]:
        """Let what waits now still wait where the block raises, as nothing was stored then."""
        before = self.tenants, self.since
        try:
            yield
        except BaseException:
            self.tenants, self.since = before
            raise

    def replace(self, tenants: Sequence[str | None], now: datetime) -> None:
        """Remember what waits after an evaluation."""
        if tenants and self.since is None:
            log.warning(
                "triage: %d scopes wait for their evaluation, as more changed than one evaluation may take; "
                "until then their alerts keep their earlier causes",
                len(tenants),
            )
        elif not tenants and self.since is not None:
            waited_s = (now - self.since).total_seconds()
            log.info("triage: all scopes are evaluated again, after %.0f s", waited_s)
        self.tenants = tuple(tenants)
        self.since = (self.since or now) if tenants else None
