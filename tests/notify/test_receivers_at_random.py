"""Receivers that fail at random, crashes, silences and digests: who heard of it hears of its end."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from firstcause import DeliveryError, NotifyReason
from support.scenario_app import Phone, Stage

if TYPE_CHECKING:
    from firstcause import Notification

MINUTE, HOUR = 60.0, 3600.0
CODES = ("ODD_0", "ODD_1")


@dataclass
class Memory:
    """What one receiver has read. open: the incidents that it takes for open, by id."""

    ids: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    told_twice: list[str] = field(default_factory=list)

    def refuse(self, said: Notification) -> None:
        """Refuse a message for good: of an end that it names, another notifier tells its own people."""
        self.open -= _find_resolved(said)

    def read(self, said: Notification) -> None:
        resolved = _find_resolved(said)
        is_new = said.id not in self.ids
        news = set(said.incidents) - resolved - self.open
        repeats_first = said.reason is NotifyReason.FIRST and not news
        if not said.maybe_repeat and (not is_new or repeats_first):
            self.told_twice.append(said.text)
        self.ids.add(said.id)
        self.open = (self.open | set(said.incidents)) - resolved


def _find_resolved(said: Notification) -> set[str]:
    """Find the incidents of which a message says that they ended."""
    if said.reason is NotifyReason.RESOLVED:
        return set(said.incidents)
    return set(re.findall(r"^#(\d+) P\d, resolved by now", said.body, re.MULTILINE))


class Receiver(Phone):
    """A phone that a test can break. mode: what happens to the next messages."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.mode = "works"
        self.memory = Memory()

    def _send(self, notification: Notification) -> str:
        match self.mode:
            case "busy":
                raise DeliveryError("busy")
            case "refuses":
                self.memory.refuse(notification)
                raise DeliveryError("no such number", permanent=True)
            case "lost":
                raise TimeoutError
            case "answer lost":
                self.memory.read(notification)
                raise TimeoutError
        self.memory.read(notification)
        return f"{self.name} has it"


MODES = ("works", "works", "busy", "refuses", "lost", "answer lost")
CHANGES = st.one_of(
    st.tuples(st.just("report"), st.sampled_from(CODES)),
    st.tuples(st.just("report"), st.sampled_from(CODES)),
    st.tuples(st.just("resolve"), st.sampled_from(CODES)),
    st.tuples(st.just("resolve"), st.sampled_from(CODES)),
    st.tuples(st.just("silence"), st.sampled_from(CODES)),
    st.tuples(st.just("end silences"), st.none()),
    st.tuples(st.just("break"), st.tuples(st.sampled_from(("sms", "mail")), st.sampled_from(MODES))),
    st.tuples(st.just("break"), st.tuples(st.just("sms"), st.sampled_from(MODES))),
    st.tuples(st.just("crash"), st.booleans()),
)
ROUNDS = st.tuples(st.lists(CHANGES, min_size=1, max_size=3), st.sampled_from((1.0, 10.0, 7 * MINUTE, HOUR)))
"""A few changes, then time passes."""


@dataclass
class Story:
    """One run of a stage. now: seconds from its start."""

    stage: Stage
    receivers: dict[str, Receiver]
    now: float = 0.0
    silence_ids: list[str] = field(default_factory=list)

    def run(self, step: str, argument: Any) -> None:
        self.now += 1.0
        match step:
            case "report" | "resolve":
                resolved = step == "resolve"
                self.stage.report(self.now, argument, service=f"service of {argument}", resolved=resolved)
            case "silence":
                made = self.stage.app.silences.create(
                    [f"code={argument}"],
                    self.stage.time(self.now),
                    duration_s=100 * HOUR,
                    actor="ann",
                    comment=None,
                )
                self.silence_ids.append(str(made.silence_id))
            case "end silences":
                while self.silence_ids:
                    self.stage.app.silences.end(
                        self.silence_ids.pop(), self.stage.time(self.now), actor="ann"
                    )
            case "break":
                name, mode = argument
                self.receivers[name].mode = mode
            case "crash":
                self.crash(is_sent=argument)
            case "pass":
                self.now += argument
                self.stage.deliver(self.now)

    def crash(self, *, is_sent: bool) -> None:
        """End the process while a message is sent. is_sent: whether the receiver got it before."""
        notifications = self.stage.app.notifications
        jobs = notifications._create_delivery(lambda: self.stage.time(self.now)).start_jobs(
            self.stage.time(self.now), ()
        )
        job = next(jobs, None)
        if is_sent and job is not None and job.notifier is not None:
            message = job.run.args[0]  # type: ignore[attr-defined]
            self.receivers[job.notifier].memory.read(message.notification)
        self.stage.restart()
        self.stage.app.notifications.release_claims()

    def end(self) -> None:
        """All works again, all is over, and time passes."""
        for receiver in self.receivers.values():
            receiver.mode = "works"
        self.run("end silences", None)
        for code in CODES:
            self.run("resolve", code)
        for _ in range(5):
            self.run("pass", 5 * HOUR)


# To shrink an example takes minutes, and what failed is short enough to read.
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.reuse, Phase.generate])
@given(st.lists(ROUNDS, min_size=6, max_size=14), st.booleans())
def test_who_heard_of_it_hears_of_its_end_and_nothing_twice_without_a_mark(
    rounds: list[tuple[list[tuple[str, Any]], float]],
    is_limited: bool,
) -> None:
    receivers = {name: Receiver(name) for name in ("sms", "mail")}
    routes = [
        {"name": "both", "notifiers": ["sms", "mail"], "continue": True},
        {"name": "mail", "notifiers": ["mail"], "tenants": ["none"]},
    ]
    limit = {"max": 1 if is_limited else 1000, "per": "10m"}
    notify = {
        "group_wait": 0, "retry_attempts": 2, "routes": routes, "default_limit": limit, "repeat_interval": 0,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(f"sqlite:///{folder}/store.db", Path(folder), *receivers.values(), notify=notify)
        story = Story(stage, receivers)
        try:
            for changes, length in rounds:
                for step, argument in changes:
                    story.run(step, argument)
                for _ in range(3):
                    story.run("pass", length)
            story.end()
            assert story.stage.incidents("open") == []
            assert {name: receiver.memory.open for name, receiver in receivers.items()} == {
                "sms": set(), "mail": set(),
            }  # fmt: skip
            assert [receiver.memory.told_twice for receiver in receivers.values()] == [[], []]
        finally:
            story.stage.app.close()
