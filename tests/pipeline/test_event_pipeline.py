"""What people decide takes effect: in the daemon, without a daemon, and beside one. On both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from firstcause.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.scenario_app import Stage


def _merge(stage: Stage) -> int:
    """Merge two open incidents. Returns how many are open then."""
    stage.report(0, "REDIS_SLOW")
    stage.report(1, "TLS_CERT_EXPIRING")
    merged = stage.app.incidents.merge("2", "1", stage.time(2), "anna", None)
    assert merged["id"] == "1"
    return len(stage.incidents("open"))


def test_a_merge_takes_effect_at_once_where_no_daemon_runs(stage: Stage) -> None:
    assert _merge(stage) == 1


def test_a_merge_beside_a_daemon_is_left_to_it(stages: Callable[..., Stage]) -> None:
    daemon, other = stages(), stages()
    with daemon.app.database.hold_daemon_lock():
        assert _merge(other) == 2
        daemon.app.wake = lambda: None
        daemon.app.pipeline.reevaluate_if_needed(daemon.time(3))
    assert len(other.incidents("open")) == 1


def test_a_merge_in_the_daemon_takes_effect_at_once(stage: Stage) -> None:
    woken: list[bool] = []
    with stage.app.database.hold_daemon_lock():
        stage.app.wake = lambda: woken.append(True)
        assert _merge(stage) == 1
    assert not woken


def test_a_silence_in_the_daemon_wakes_triage(stage: Stage) -> None:
    stage.report(0, "REDIS_SLOW")
    woken: list[bool] = []
    with stage.app.database.hold_daemon_lock():
        stage.app.wake = lambda: woken.append(True)
        created = stage.app.silences.create(
            ["code=REDIS_SLOW"], stage.time(1), duration_s=3600, actor="anna", comment=None
        )
        assert woken
        assert not stage.incident()["suppressed"]
        stage.app.pipeline.reevaluate_if_needed(stage.time(2))
    assert stage.incident()["silenced_by"] == [str(created.silence_id)]


@pytest.mark.parametrize("end", [False, True])
def test_a_silence_takes_effect_at_once_where_no_daemon_runs(stage: Stage, end: bool) -> None:
    stage.report(0, "REDIS_SLOW")
    created = stage.app.silences.create(
        ["code=REDIS_SLOW"], stage.time(1), duration_s=3600, actor="anna", comment=None
    )
    if end:
        stage.app.silences.end(str(created.silence_id), stage.time(2), "anna")
    assert stage.incident()["silenced_by"] == ([] if end else [str(created.silence_id)])


def test_a_request_stands_until_the_rules_were_evaluated(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = stage.app.pipeline
    pipeline.reevaluate_if_needed(stage.time(0))
    evaluated: list[bool] = []

    def reevaluate(_now: object) -> None:
        evaluated.append(True)
        if len(evaluated) == 1:
            raise StoreError("the database is away")

    monkeypatch.setattr(pipeline, "reevaluate", reevaluate)
    pipeline.request_reevaluation()
    with pytest.raises(StoreError):
        pipeline.reevaluate_if_needed(stage.time(1))
    for at in (2, 3):
        pipeline.reevaluate_if_needed(stage.time(at))
    assert len(evaluated) == 2
