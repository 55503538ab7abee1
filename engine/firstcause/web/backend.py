"""What the web asks of the daemon; the daemon has these methods, tests may give others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol, cast

from fastapi import Depends, Request

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from firstcause.core.model import Event
    from firstcause.intake.counts import Counts
    from firstcause.service.measures import Measures


class Backend(Protocol):
    """Methods may block and may be called from several threads; errors are those of firstcause.errors."""

    counts: Counts

    def measures(self) -> Measures:
        """What `/metrics` tells, as of now."""

    def submit(self, events: Sequence[Event]) -> Future[None]:
        """Done once the events are on disk."""

    def submit_as_sent(self, body: bytes) -> tuple[int, Future[None]] | None:
        """How many events a request has, done once they are on disk; None where `submit` must take them."""

    def incidents(self, status: str | None, limit: int) -> list[dict[str, Any]]: ...

    def incident(self, number: str) -> dict[str, Any]: ...

    def debug_as(self, number: str, form: str) -> str:
        """form: text, markdown or json."""

    def explain(self, number: str) -> dict[str, Any]: ...

    def resolve(self, number: str, fix: str | None) -> dict[str, Any]: ...

    def acknowledge(self, number: str, by: str, comment: str | None, *, undo: bool) -> dict[str, Any]: ...

    def merge(self, number: str, into: str, by: str, reason: str | None) -> dict[str, Any]: ...

    def split(self, number: str, ids: Sequence[str], by: str, reason: str | None) -> dict[str, Any]:
        """ids: of alerts."""

    def silences(self, *, ended: bool) -> list[dict[str, Any]]: ...

    def silence(self, matchers: Sequence[str], length: float, by: str, comment: str | None) -> dict[str, Any]:
        """length: seconds."""

    def end_silence(self, number: str) -> dict[str, Any]: ...

    def catalog(self) -> list[dict[str, Any]]: ...

    def run_probe(self, name: str) -> dict[str, Any]: ...

    def health(self) -> dict[str, Any]: ...

    def check(self) -> dict[str, Any]: ...

    def snapshots(self, limit: int) -> list[dict[str, Any]]: ...

    def snapshot(self, name: str) -> dict[str, Any]:
        """name: a number, `latest` or `good`."""

    def pin(self, name: str, by: str, *, undo: bool) -> dict[str, Any]: ...

    def diff(self, before: str, after: str) -> dict[str, Any]: ...

    def trend(self, metric: str, minutes: float) -> dict[str, Any]: ...

    def forecast(self, metric: str, limit: float | None, minutes: float) -> dict[str, Any]: ...

    def status(self) -> dict[str, Any]: ...

    def ready(self) -> dict[str, str]:
        """Part -> "ok", or what is wrong with it."""


def backend(request: Request) -> Backend:
    return cast("Backend", request.app.state.backend)


Asked = Annotated[Backend, Depends(backend)]
"""A parameter that FastAPI fills with the backend."""
