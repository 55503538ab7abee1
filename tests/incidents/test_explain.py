"""explain: from an incident down to the rules' lines and the facts, what came near, and what if."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from firstcause.core.model import Status
from firstcause.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.scenario_app import Stage


def test_an_incident_down_to_the_lines_and_facts(stages: Callable[..., Stage], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TWILIO_AUTH_TOKEN=sesame\n")
    stage = stages(health={"env_file": str(tmp_path / ".env")})
    stage.report(0, "SMS_DELIVERY_FAILURE", tenant="acme")
    stage.report(1, "SMS_DELIVERY_FAILURE", tenant="bolt")
    stage.probe(2, Status.DOWN, detail="refused")
    found = stage.app.incidents.explain("1", stage.time(3))
    (root,) = found["tree"]
    assert (found["root"]["code"], root["role"], root["alerts"]) == ("TWILIO_API_FAILURE", "root", 1)
    surest, other = (each for each in root["verdicts"] if each["verdict"] == "root_cause")
    assert (surest["rule"], surest["holds"], other["holds"]) == ("twilio-credentials-missing", True, False)
    assert surest["facts"]["env"] == {"kind": "env", "name": "TWILIO_ACCOUNT_SID", "present": False}
    book = stage.app.rules.current.book
    placed = next(each for each in book.rules if each.rule.id == surest["rule"])
    assert (surest["file"], surest["line"]) == (placed.file, placed.line)
    (below,) = root["causes"]
    assert (below["code"], below["alerts"], below["tenants"]) == ("SMS_DELIVERY_FAILURE", 2, ["acme", "bolt"])
    edge = below["verdicts"][0]["facts"]["edge"]
    assert (edge["cause_code"], edge["effect_code"]) == ("TWILIO_API_FAILURE", "SMS_DELIVERY_FAILURE")
    near = {each["rule"]: [failed["text"] for failed in each["failed"]] for each in found["missed"]}
    assert near["widespread-impact"] == ["when.alert.tenants_hit: wanted >= 3, got 2, 1 short"]
    assert "sesame" not in repr(found)


def test_a_resolved_incident_is_explained_by_what_was_known_then(
    stages: Callable[..., Stage], tmp_path: Path
) -> None:
    env = tmp_path / ".env"
    env.write_text("A=1\n")
    stage = stages(health={"env_file": str(env)})
    stage.report(0, "TWILIO_API_FAILURE")
    env.write_text("TWILIO_ACCOUNT_SID=AC1\n")
    stage.take(1, stage.event(1, "TWILIO_API_FAILURE", resolved=True))
    found = stage.app.incidents.explain("1", stage.time(9999))
    assert found["status"] == "resolved"
    assert found["tree"][0]["verdicts"][0]["because"] == "TWILIO_ACCOUNT_SID is not set"
    # By now the variable is there; when it was resolved nobody knew.
    assert "twilio-credentials-missing" not in [each["rule"] for each in found["missed"]]


def test_one_rule_on_what_is_open_now(stage: Stage) -> None:
    missed = stage.app.incidents.explain_rule("widespread-impact", stage.time(0))
    assert missed["fires"] == []
    assert "no such fact" in missed["nearest"]["failed"][0]["text"]
    for number in range(3):
        stage.report(number, "TWILIO_GREETING_FAILURE", tenant=f"t{number}")
    fired = stage.app.incidents.explain_rule("widespread-impact", stage.time(5))
    assert [each["because"] for each in fired["fires"]] == ["3 tenants report TWILIO_GREETING_FAILURE"] * 3
    assert fired["nearest"] is None
    with pytest.raises(NotFoundError, match="no rule 'widespred'; there are: "):
        stage.app.incidents.explain_rule("widespred", stage.time(5))


def test_what_would_go_if_one_error_were_mended(stage: Stage) -> None:
    stage.report(0, "DB_CONNECTION_ERROR", "REDIS_CONNECTION_ERROR", "REDIS_SLOW")
    stage.report(1, "AI_AGENT_INIT_FAILURE", tenant="acme")
    stage.report(1, "TWILIO_GREETING_FAILURE", tenant="acme")
    found = stage.app.incidents.simulate_fix("REDIS_CONNECTION_ERROR", stage.time(5))
    goes, stays = ({each["code"] for each in found[name]} for name in ("goes", "stays"))
    # The database alone explains the agent and what follows from it.
    assert goes == {"REDIS_CONNECTION_ERROR", "REDIS_SLOW"}
    assert stays == {"DB_CONNECTION_ERROR", "AI_AGENT_INIT_FAILURE", "TWILIO_GREETING_FAILURE"}
    # The greeting could still come from the database, by way of an agent that breaks again.
    assert stage.app.incidents.simulate_fix("AI_AGENT_INIT_FAILURE", stage.time(5))["goes"] == [
        {"code": "AI_AGENT_INIT_FAILURE", "alerts": 1, "tenants": ["acme"], "incidents": ["1"]}
    ]
    with pytest.raises(NotFoundError, match="DB_QUERY_SLOW is not open"):
        stage.app.incidents.simulate_fix("DB_QUERY_SLOW", stage.time(5))
