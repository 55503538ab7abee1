"""Notifiers work side by side: none waits for another one, and none holds up the end of the daemon."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firstcause import Notifier
from firstcause.daemon import supervisor
from firstcause.daemon.supervisor import Daemon
from support.firstcause_process import wait_until
from support.scenario_app import NO_STORMS, Phone, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    import pytest

URGENT = "TWILIO_API_FAILURE"


@dataclass
class SlowPhone(Phone):
    """A phone that does not answer until it is released. timeout: seconds that it is waited for."""

    timeout: float = 60.0

    def __post_init__(self) -> None:
        self.started: list[str] = []
        self.release = threading.Event()
        self.before_delivery = self._wait

    def _wait(self, said: Any) -> None:
        self.started.append(said.code)
        self.release.wait(120)

    def notifier(self) -> Notifier:
        return Notifier(self.name, self._send, timeout=self.timeout)


@contextlib.contextmanager
def run_stage(folder: Path, *phones: Phone, routes: list[dict[str, Any]]) -> Iterator[tuple[Stage, Daemon]]:
    notify = {"group_wait": 0, "routes": routes, "default_limit": {"max": 1000}}
    stage = Stage(f"sqlite:///{folder}/x.db", folder, *phones, notify=notify, rules=NO_STORMS)
    stage.components = {}
    daemon = Daemon(stage.app)
    daemon.start()
    try:
        yield stage, daemon
    finally:
        for phone in phones:
            if isinstance(phone, SlowPhone):
                phone.release.set()
        daemon.stop()
        stage.app.close()


def report(stage: Stage, code: str) -> None:
    stage.app.intake.accept([stage.event(0, code, service=code.lower())], supervisor.utc_now())


def test_nobody_waits_for_a_notifier_of_another_route(tmp_path: Path) -> None:
    chat, sms = SlowPhone("chat"), Phone("sms")
    routes = [
        {"name": "urgent", "notifiers": ["sms"], "priorities": ["P0"]},
        {"name": "rest", "notifiers": ["chat"]},
    ]
    with run_stage(tmp_path, chat, sms, routes=routes) as (stage, _daemon):
        for number in range(5):
            report(stage, f"JOB_{number}_FAILED")
        wait_until(lambda: chat.started, "the chat to hang")
        report(stage, URGENT)
        wait_until(lambda: sms.summaries == [f"first {URGENT}"], "the SMS")
        assert len(chat.started) == 1, "one call at a time"
        chat.release.set()
        wait_until(lambda: len(chat.received) == 5, "the others")


def test_what_is_most_urgent_is_next(tmp_path: Path) -> None:
    chat = SlowPhone("chat")
    with run_stage(tmp_path, chat, routes=[{"notifiers": ["chat"]}]) as (stage, _daemon):
        report(stage, "JOB_0_FAILED")
        wait_until(lambda: chat.started, "the chat to hang")
        for number in range(1, 5):
            report(stage, f"JOB_{number}_FAILED")
        report(stage, URGENT)
        wait_until(lambda: len(stage.rows("outbox")) == 6, "the messages")
        chat.release.set()
        wait_until(lambda: len(chat.received) == 6, "the others")
        assert chat.started[1] == URGENT


def test_the_next_takes_over_from_one_that_hangs_and_the_status_names_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chat, mail = SlowPhone("chat", timeout=0.2), Phone("mail")
    before = threading.active_count()
    with run_stage(tmp_path, chat, mail, routes=[{"notifiers": ["chat", "mail"]}]) as (stage, _daemon):
        loops = threading.active_count() - before
        for number in range(3):
            report(stage, f"JOB_{number}_FAILED")
        wait_until(lambda: len(mail.received) == 3, "the mails")
        conditions = stage.app.monitoring.find_conditions(supervisor.utc_now())
        (condition,) = (condition for condition in conditions if condition.about == "chat")
        assert (condition.code, condition.about) == ("FIRSTCAUSE_NOTIFIER_FAILING", "chat")
        assert "it has not returned from an earlier call" in condition.detail
        assert len(chat.started) == 1
        assert threading.active_count() - before - loops <= 3, "threads of those that hang do not add up"
        assert "notifier chat did not return within 0.2 s; it is passed over until it does" in caplog.text
        assert "notifier chat is passed over: it has not returned from an earlier call" in caplog.text
        chat.release.set()
        wait_until(lambda: not stage.app.notifications.list_hanging(), "the chat to return")
        report(stage, "JOB_9_FAILED")
        wait_until(lambda: chat.started[1:] == ["JOB_9_FAILED"], "the chat to be used again")


def test_the_daemon_ends_while_a_notifier_hangs_and_repeats_the_message_with_a_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervisor, "_DELIVERY_STOP_TIMEOUT_S", 0.1)
    chat = SlowPhone("chat")
    with run_stage(tmp_path, chat, routes=[{"notifiers": ["chat"]}]) as (stage, daemon):
        report(stage, URGENT)
        wait_until(lambda: chat.started, "the chat to hang")
        daemon.stop()
        assert not chat.release.is_set()
        assert "stopped while chat had not answered; the message is in doubt" in caplog.text
        stage.restart()
        chat.before_delivery = lambda _said: None
        stage.app.notifications.release_claims()
        while stage.app.notifications.deliver(supervisor.utc_now()):
            pass
        assert [said.maybe_repeat for said in chat.received] == [True]
