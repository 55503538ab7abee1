"""Who may send: tokens of sources, rates, limits, and that nothing else opens with them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import firstcause_alertmanager
from firstcause import Event, IntakeError, IntakeResult
from firstcause.config import load
from firstcause.core.model import Priority, Status
from firstcause.core.privacy.masking import Mask
from firstcause.errors import ConfigError
from firstcause.intake.event_fields import MAX_DEPTH, MAX_FIELDS, MAX_TEXT_LENGTH
from firstcause.intake.event_packer import EventPacker
from firstcause.web.sessions import hash_password
from support.firstcause_process import wait_until
from support.http_server import serve_stage

if TYPE_CHECKING:
    from pathlib import Path

SHOP, WEB = "token-of-the-shop", "token-of-the-web"
HOOK = "/api/v1/webhooks/alertmanager"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(token: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'any:{token}'.encode()).decode()}"}


@pytest.mark.parametrize(
    ("headers", "status", "sent_by"),
    [
        ({}, 401, set()), (bearer("wrong"), 403, set()), ({"Authorization": "Basic !"}, 401, set()),
        (basic(""), 401, set()),
        (bearer(SHOP), 202, {"checkout"}), (basic(SHOP), 202, {"checkout"}),
        (bearer(WEB), 202, {None, "other"}),
    ],
)  # fmt: skip
def test_a_source_brings_its_token(
    tmp_path: Path, headers: dict[str, str], status: int, sent_by: set[str | None]
) -> None:
    (tmp_path / "web-token").write_text(f"{WEB}\n")
    settings: dict[str, Any] = {
        "web": {"token_file": str(tmp_path / "web-token")},
        "intake": {"tokens": {"shop": {"token": SHOP, "service": "checkout"}}},
    }
    with serve_stage(tmp_path, firstcause_alertmanager, **settings) as (client, stage):
        for path in ("/api/v1/events", HOOK):
            body = {"code": "A", "alerts": [{"labels": {"alertname": "Down", "service": "other"}}]}
            answer = client.post(path, json=body, headers=headers)
            assert answer.status_code == status, answer.text
            assert status == 202 or answer.json()["error"]
            assert ("www-authenticate" in answer.headers) == (status == 401)
        services = {row["event"].get("service") for row in stage.accepted()}
        assert services == sent_by
        # A source's token is good for sending only.
        reading = client.get("/api/v1/incidents", headers=headers).status_code
        assert reading == (200 if headers == bearer(WEB) else 401)


def test_without_tokens_loopback_is_open(tmp_path: Path) -> None:
    with serve_stage(tmp_path) as (client, _stage):
        assert client.post("/api/v1/events", json={"code": "A"}, headers=bearer("any")).status_code == 202


def test_tokens_come_from_files_and_are_masked_in_what_is_stored(tmp_path: Path) -> None:
    (tmp_path / "shop-token").write_text(f"{SHOP}\n")
    (tmp_path / "config.toml").write_text(
        '[intake.tokens]\nmail = "in-short"\n[intake.tokens.shop]\ntoken_file = "shop-token"\n'
    )
    settings = load(tmp_path / "config.toml")
    assert settings.intake.tokens["shop"].token.get_secret_value() == SHOP
    assert settings.intake.tokens["mail"].token.get_secret_value() == "in-short"
    assert SHOP not in repr(settings)
    with serve_stage(tmp_path, intake=settings.intake) as (client, stage):
        client.post("/api/v1/events", json={"message": f"sent with {SHOP}"}, headers=bearer(SHOP))
        assert SHOP not in stage.everything_stored()


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        ({"a": {"token": SHOP}, "b": {"token": SHOP}}, "tokens of a and b are the same"),
        ({"a": {"token": ""}}, "at least 1 item"),
    ],
)
def test_wrong_tokens_are_said_without_telling_them(tmp_path: Path, tokens: Any, said: str) -> None:
    lines = [f'[intake.tokens.{name}]\ntoken = "{each["token"]}"' for name, each in tokens.items()]
    (tmp_path / "config.toml").write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=said) as error:
        load(tmp_path / "config.toml")
    assert SHOP not in str(error.value)


def test_too_much_of_one_source_comes_later_and_others_go_on(tmp_path: Path) -> None:
    tokens = {name: {"token": f"token-of-{name}"} for name in ("shop", "mail")}
    with serve_stage(tmp_path, intake={"rate": 0.5, "burst": 3, "tokens": tokens}) as (client, stage):
        answers = [
            client.post("/api/v1/events", json={"code": "A"}, headers=bearer("token-of-shop"))
            for _ in range(5)
        ]
        assert [each.status_code for each in answers] == [202, 202, 202, 429, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 2
        assert "exceeds [intake] rate" in answers[-1].json()["error"]
        other = client.post("/api/v1/events", json={"code": "A"}, headers=bearer("token-of-mail"))
        assert other.status_code == 202
        assert len(stage.accepted()) == 4


def test_who_locks_the_page_lets_nobody_send_without_a_token(tmp_path: Path) -> None:
    with serve_stage(tmp_path, web={"password": hash_password("correct horse")}) as (client, stage):
        answer = client.post("/api/v1/events", json={"code": "A"})
        assert (answer.status_code, answer.headers["www-authenticate"].split()[0]) == (401, "Bearer,")
        assert stage.accepted() == []


def test_no_room_in_the_store_is_said_with_when_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise IntakeError("too much waits to be stored; send it again later", 503, retry_after=2.2)

    with serve_stage(tmp_path) as (client, _stage):
        monkeypatch.setattr("firstcause.intake.writer.GroupCommitWriter.submit", full)
        answer = client.post("/api/v1/events", json={"code": "A"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
        assert answer.json() == {"error": "too much waits to be stored; send it again later"}
        rejected = client.get("/api/v1/status").json()["intake"]["rejected"]
        assert rejected == {"native": {"no room": 1}}


def nested(depth: int) -> Any:
    found: Any = "x"
    for _ in range(depth):
        found = {"a": [found]}
    return found


@pytest.mark.parametrize(
    ("details", "said"),
    [
        (nested(MAX_DEPTH), "nested deeper than"),
        ({str(number): 1 for number in range(MAX_FIELDS + 1)}, "fields, more than"),
        ({"list": [0] * (MAX_FIELDS + 1)}, "fields, more than"),
    ],
)
def test_depth_and_width_are_bounded_by_every_way(tmp_path: Path, details: Any, said: str) -> None:
    with serve_stage(tmp_path) as (client, _stage):
        answer = client.post("/api/v1/events", json=[{"code": "A", "details": details}, {"code": "B"}])
        assert answer.status_code == 202
        assert said in answer.json()["rejected"][0]["error"]
        assert client.post("/api/v1/events", json={"code": "A", "details": details}).status_code == 422
    event = Event(id="1", time=datetime.now(UTC), code="A", details=details)
    packer = EventPacker(Mask(), datetime.now(UTC), 1 << 20)
    packer.add_plugin_events(IntakeResult([event]))
    packed = packer.finish()
    assert (packed.payloads, said in packed.rejected[0].error) == ([], True)


@pytest.mark.parametrize("depth", [400, 2000, 100_000])
def test_whatever_depth_is_answered(tmp_path: Path, depth: int) -> None:
    body = '{"code": "A", "details": {"a": ' + "[" * depth + "]" * depth + "}}"
    with serve_stage(tmp_path, firstcause_alertmanager) as (client, _stage):
        for path in ("/api/v1/events", HOOK):
            answer = client.post(path, content=body)
            assert (answer.status_code // 100, bool(answer.json()["error"])) == (4, True)


def test_a_text_that_is_too_long_is_cut_and_says_so(tmp_path: Path) -> None:
    with serve_stage(tmp_path) as (client, stage):
        client.post("/api/v1/events", json={"code": "A", "stack": "x" * (MAX_TEXT_LENGTH + 7)})
        (row,) = stage.accepted()
        assert row["event"]["stack"].endswith(f"(cut, it had {MAX_TEXT_LENGTH + 7} characters)")
        assert len(row["event"]["stack"]) < MAX_TEXT_LENGTH + 50


def test_metrics_tell_what_came_and_how_it_is(tmp_path: Path) -> None:
    with serve_stage(tmp_path, firstcause_alertmanager) as (client, stage):
        client.post("/api/v1/events", json=[{"code": "REDIS_SLOW"}, {}])
        client.post(HOOK, content=b"{")
        wait_until(lambda: stage.incidents("open"), "an incident")
        wait_until(lambda: stage.app.system_state.readings, "a probe")

        def numbers() -> dict[str, float]:
            answer = client.get("/metrics")
            assert answer.headers["content-type"].startswith("text/plain; version=")
            lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
            return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

        found = wait_until(
            lambda: (told := numbers())["firstcause_events_triaged_total"] >= 1 and told, "triage"
        )
        assert found['firstcause_events_accepted_total{format="native"}'] == 1
        assert found['firstcause_events_rejected_total{format="native",reason="no event"}'] == 1
        assert found['firstcause_events_rejected_total{format="alertmanager",reason="malformed"}'] == 1
        assert sum(found[f'firstcause_incidents_open{{priority="{each}"}}'] for each in Priority) == 1
        assert found["firstcause_alerts_active"] == 1
        assert found["firstcause_events_pending"] == 0
        assert found["firstcause_events_pending_bytes"] == 0
        assert found["firstcause_store_bytes"] > 100_000
        assert found['firstcause_probe_up{component="twilio",probe="twilio"}'] == 1
        assert found["firstcause_rule_evaluations_total"] >= 1
        assert stage.readings["twilio"].status is Status.UP


def test_metrics_need_the_token_too(tmp_path: Path) -> None:
    (tmp_path / "web-token").write_text(WEB)
    with serve_stage(tmp_path, web={"token_file": str(tmp_path / "web-token")}) as (client, _stage):
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers=bearer(WEB)).status_code == 200


def test_what_was_sent_is_counted_by_result(tmp_path: Path) -> None:
    with serve_stage(tmp_path, notify={"group_wait": 0, "routes": [{"notifiers": ["phone"]}]}) as (
        client,
        _stage,
    ):
        client.post("/api/v1/events", json={"code": "TWILIO_API_FAILURE"})
        line = 'firstcause_notifications_total{notifier="phone",result="sent"} 1.0'
        wait_until(lambda: line in client.get("/metrics").text, "the message")
