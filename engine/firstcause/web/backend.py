"""What the web asks of the daemon; the daemon has these methods, tests may give others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol, cast

from fastapi import Depends, Request

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from firstcause.app.metrics import Metrics
    from firstcause.core.model import Event
    from firstcause.intake.metrics import IntakeMetrics
    from firstcause.views.views import Views


class Backend(Protocol):
    """Methods may block and may be called from several threads; errors are those of firstcause.errors.

    views: what the page shows besides.
    """

    views: Views

    intake_metrics: IntakeMetrics

    def measures(self) -> Metrics:
        """What `/metrics` tells, as of now."""

    def submit(self, events: Sequence[Event]) -> Future[None]:
        """Done once the events are on disk."""

    def submit_verbatim(self, body: bytes) -> tuple[int, Future[None]] | None:
        """How many events a request has, done once they are on disk; None where `submit` must take them."""

    def incidents(self, status: str | None, limit: int) -> list[dict[str, Any]]: ...

    def incident(self, incident_id: str) -> dict[str, Any]: ...

    def render_debug_report(self, incident_id: str, output_format: str) -> str:
        """form: text, markdown or json."""

    def explain(self, incident_id: str) -> dict[str, Any]: ...

    def resolve(self, incident_id: str, fix: str | None, actor: str) -> dict[str, Any]: ...

    def acknowledge(
        self, incident_id: str, actor: str, comment: str | None, *, undo: bool
    ) -> dict[str, Any]: ...

    def merge(self, incident_id: str, into: str, actor: str, reason: str | None) -> dict[str, Any]: ...

    def split(
        self, incident_id: str, alert_ids: Sequence[str], actor: str, reason: str | None
    ) -> dict[str, Any]:
        """ids: of alerts."""

    def silences(self, *, ended: bool) -> list[dict[str, Any]]: ...

    def silence(
        self, matchers: Sequence[str], length: float, actor: str, comment: str | None
    ) -> dict[str, Any]:
        """length: seconds."""

    def silence_incident(
        self, incident_id: str, length: str, actor: str, comment: str | None
    ) -> dict[str, Any]:
        """Silence its root. length: as people write it."""

    def end_silence(self, silence_id: str, actor: str) -> dict[str, Any]: ...

    def catalog(self) -> list[dict[str, Any]]: ...

    def run_probe(self, name: str) -> dict[str, Any]: ...

    def health(self) -> dict[str, Any]: ...

    def check(self) -> dict[str, Any]: ...

    def snapshots(self, limit: int) -> list[dict[str, Any]]: ...

    def snapshot(self, name: str) -> dict[str, Any]:
        """name: a number, `latest` or `good`."""

    def pin(self, name: str, actor: str, *, undo: bool) -> dict[str, Any]: ...

    def drill(self, route: str, actor: str) -> str:
        """Send a test alert to a route; returns the id of its event."""

    def get_drill_result(self, event_id: str) -> dict[str, Any]:
        """What came of it so far."""

    def remedies(self) -> list[dict[str, Any]]: ...

    def plan_remedy(self, name: str) -> dict[str, Any]: ...

    def run_remedy(self, name: str, actor: str) -> dict[str, Any]: ...

    def test_rules(self) -> None:
        """Begin to run the tests of the rule files; `views.rule_testing` knows how far they are."""

    def diff(self, before: str, after: str) -> dict[str, Any]: ...

    def trend(self, metric: str, minutes: float) -> dict[str, Any]: ...

    def forecast(self, metric: str, limit: float | None, minutes: float) -> dict[str, Any]: ...

    def status(self) -> dict[str, Any]: ...

    def ready(self) -> dict[str, str]:
        """Part -> "ok", or what is wrong with it."""


def get_backend(request: Request) -> Backend:
    return cast("Backend", request.app.state.backend)


AppDep = Annotated[Backend, Depends(get_backend)]
"""A parameter that FastAPI fills with the backend."""
