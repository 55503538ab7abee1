"""The graph as it is known: written calls win, learned ones fade."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.scenario_app import Stage

REFUSED = 'connection to server at "main-db" (10.0.3.17), port 5432 failed: Connection refused'


def test_a_call_is_learned_from_a_text_and_fades(stages: Callable[..., Stage]) -> None:
    stage = stages(topology={"depends_on": {"web": ["stock"]}, "learned_ttl": "10d"})
    stage.take(
        0, stage.event(0, message=REFUSED, service="stock"), stage.event(1, message=REFUSED, service="web")
    )
    fresh = {(edge["caller"], edge["callee"]): edge for edge in stage.app.topology.list_edges(stage.time(10))}
    learned = fresh["stock", "main-db"]
    assert (learned["source"], learned["confidence"]) == ("learned", 0.9)
    assert "named main-db" in learned["why"]
    assert fresh["web", "stock"]["source"] == "written"
    assert fresh["web", "stock"]["confidence"] == 1.0
    (later,) = stage.app.topology.list_edges(stage.time(5 * 86400), "stock")[:1]
    assert later["confidence"] < 0.65
    assert not [
        edge for edge in stage.app.topology.list_edges(stage.time(11 * 86400)) if edge["source"] == "learned"
    ]
