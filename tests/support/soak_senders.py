"""Senders of alerts for a soak: each has its own format and clock, and knows what fires."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import uuid
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from support.simulated_clock import SimulatedClock

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

MIN_GAP = timedelta(minutes=45)
"""Time between two changes of one alert, so that it does not flap."""

Key = tuple[str, str, str]
"""What an alert's part is known by: its code, its service, and the label that tells it apart (or "")."""

_STEP_S = 0.1
_FIRST_CHANGE = timedelta(minutes=20)
_TIMEOUT_S = 10.0


@dataclass
class Alert:
    """One alert of a sender. parts: values of `part_label`, or one empty value. firing: the parts that do."""

    code: str
    service: str
    tenant: str | None = None
    parts: tuple[str, ...] = ("",)
    part_label: str = "instance"
    firing: dict[str, datetime] = field(default_factory=dict)
    next_change: datetime | None = None
    next_report: datetime | None = None
    began: int = 0

    def key(self, part: str) -> Key:
        return self.code, self.service, part

    def labels(self, part: str) -> dict[str, str]:
        return {self.part_label: part} if part else {}


class Sender:
    """Changes its alerts at random, and reports them until it is stopped.

    frozen: nothing changes any more, what fires is still reported. report_interval: between two reports of
    what fires. ever: every part that ever fired and was taken by the daemon.
    """

    name = "sender"
    report_interval = timedelta(minutes=30)

    def __init__(
        self, url: str, clock: SimulatedClock, randomness: random.Random, alerts: Sequence[Alert]
    ) -> None:
        self.url = url
        self.clock = clock
        self.random = randomness
        self.alerts = tuple(alerts)
        self.frozen = False
        self.ever: set[Key] = set()
        self.error: BaseException | None = None
        self.http = httpx.Client(timeout=_TIMEOUT_S)
        self._queue: deque[tuple[Key | None, Callable[[], httpx.Response]]] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self.http.close()

    @property
    def is_idle(self) -> bool:
        """Whether the daemon took everything."""
        return not self._queue

    def list_firing(self) -> set[Key]:
        return {alert.key(part) for alert in self.alerts for part in alert.firing}

    def _run(self) -> None:
        try:
            while not self._stopping.wait(_STEP_S):
                now = self.clock.now()
                for alert in self.alerts:
                    self._change(alert, now)
                    self._report(alert, now)
                self._flush()
        except BaseException as error:
            self.error = error
            raise

    def _change(self, alert: Alert, now: datetime) -> None:
        if alert.next_change is None:
            alert.next_change = now + self.random.random() * _FIRST_CHANGE
        if self.frozen or now < alert.next_change:
            return
        alert.next_change = now + self.choose_gap(alert, now)
        for part in self.random.sample(alert.parts, self.random.choice((1, 1, min(2, len(alert.parts))))):
            begins = part not in alert.firing
            if begins:
                alert.firing[part] = now
                alert.began += 1
            self.send_change(alert, part, now, begins=begins)
            if not begins:
                del alert.firing[part]

    def _report(self, alert: Alert, now: datetime) -> None:
        if alert.next_report is None or now >= alert.next_report:
            alert.next_report = now + self.report_interval
            self.send_report(alert, now)

    def choose_gap(self, _alert: Alert, _now: datetime) -> timedelta:
        return MIN_GAP * (1 + self.random.random())

    def send_change(self, alert: Alert, part: str, now: datetime, *, begins: bool) -> None:
        raise NotImplementedError

    def send_report(self, alert: Alert, now: datetime) -> None:
        raise NotImplementedError

    def enqueue(self, key: Key | None, call: Callable[[], httpx.Response]) -> None:
        """Send something, in order and until it is taken. key: what fires by it."""
        self._queue.append((key, call))

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.http.post(self.url + path, json=body)

    def _flush(self) -> None:
        while self._queue:
            key, call = self._queue[0]
            try:
                response = call()
            except httpx.TransportError:
                return
            if not response.is_success:
                assert response.status_code >= 500, (self.name, response.status_code, response.text)
                return
            self._queue.popleft()
            if key is not None:
                self.ever.add(key)


class NativeSender(Sender):
    """firstcause's own JSON. offset: of its clock."""

    def __init__(self, *args: Any, name: str, offset: timedelta = timedelta(0)) -> None:
        self.name = name
        self.offset = offset
        super().__init__(*args)

    def send_change(self, alert: Alert, part: str, now: datetime, *, begins: bool) -> None:
        event = {
            "id": uuid.uuid4().hex,
            "code": alert.code,
            "service": alert.service,
            "tenant": alert.tenant,
            "severity": "CRITICAL",
            "labels": alert.labels(part),
            "time": (now + self.offset).isoformat(),
            "resolved": not begins,
        }
        key = alert.key(part) if begins else None
        self.enqueue(key, lambda: self.post("/api/v1/events", event))

    def send_report(self, alert: Alert, now: datetime) -> None:
        for part in alert.firing:
            self.send_change(alert, part, now, begins=True)


class FlappingSender(NativeSender):
    """Its alert begins and ends every few minutes for a while, then holds still for hours."""

    _rhythm = timedelta(minutes=3)
    _length = timedelta(minutes=40)
    _rest = timedelta(hours=4)

    def __init__(self, *args: Any, name: str) -> None:
        super().__init__(*args, name=name)
        self.episodes = 0
        self._until: datetime | None = None

    def choose_gap(self, _alert: Alert, now: datetime) -> timedelta:
        if self._until is None:
            self._until = now + self._length * (1 + self.random.random())
            self.episodes += 1
        if now < self._until:
            return self._rhythm
        self._until = None
        return self._rest * (1 + self.random.random() / 2)


class PrometheusSender(Sender):
    """Sends straight to API v2, with an honest clock. It reports half of the ends; the others expire."""

    name = "Prometheus, straight"
    report_interval = timedelta(minutes=10)
    _life = timedelta(minutes=40)
    _resolved_for = timedelta(minutes=60)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._ended: dict[Key, tuple[datetime, datetime]] = {}

    def send_change(self, alert: Alert, part: str, now: datetime, *, begins: bool) -> None:
        key = alert.key(part)
        if begins:
            self._ended.pop(key, None)
        elif self.random.random() < 0.5:
            self._ended[key] = alert.firing[part], now
        alert.next_report = now

    def send_report(self, alert: Alert, now: datetime) -> None:
        """As Prometheus does: the state as it is now; what was not taken is not sent again."""
        body, keys = [], set()
        for part in alert.parts:
            key = alert.key(part)
            if (began := alert.firing.get(part)) is not None:
                body.append(self._build_alert(alert, part, began, now + self._life))
                keys.add(key)
            elif key in self._ended and now - self._ended[key][1] < self._resolved_for:
                body.append(self._build_alert(alert, part, *self._ended[key]))
        if not body:
            return
        try:
            if self.post("/api/v2/alerts", body).is_success:
                self.ever |= keys
                return
        except httpx.TransportError:
            pass
        alert.next_report = now + timedelta(minutes=2)

    def _build_alert(self, alert: Alert, part: str, began: datetime, ends: datetime) -> dict[str, Any]:
        return {
            "labels": {"alertname": alert.code, "service": alert.service, "severity": "critical"}
            | ({"tenant": alert.tenant} if alert.tenant else {})
            | alert.labels(part),
            "annotations": {"summary": f"{alert.code} of {alert.service}"},
            "startsAt": began.isoformat(),
            "endsAt": ends.isoformat(),
            "generatorURL": "http://prometheus.example/graph",
        }


class AlertmanagerSender(Sender):
    """Toggles alerts in a real Alertmanager, whose clock is the real one. url: of Alertmanager."""

    name = "Alertmanager"
    report_interval = timedelta(hours=2)

    def send_change(self, alert: Alert, part: str, now: datetime, *, begins: bool) -> None:
        real = datetime.now(UTC)
        labels = {"alertname": alert.code, "service": alert.service, "severity": "critical"}
        labels |= {"tenant": alert.tenant} if alert.tenant else {}
        sent = {
            "labels": labels | alert.labels(part),
            "annotations": {"summary": f"{alert.code} of {alert.service}"},
            "endsAt": (real + (timedelta(hours=1) if begins else timedelta(0))).isoformat(),
        }
        key = alert.key(part) if begins else None
        self.enqueue(key, lambda: self.post("/api/v2/alerts", [sent]))

    def send_report(self, alert: Alert, now: datetime) -> None:
        for part in alert.firing:
            self.send_change(alert, part, now, begins=True)


class SyslogSender(Sender):
    """RFC 3164 by UDP, in a local time that is hours off. Its alerts end by silence."""

    name = "syslog"
    report_interval = timedelta(minutes=20)
    _offset = timedelta(hours=-5)

    def __init__(self, *args: Any, port: int) -> None:
        super().__init__(*args)
        self._address = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def stop(self) -> None:
        super().stop()
        self._socket.close()

    def choose_gap(self, alert: Alert, now: datetime) -> timedelta:
        """Longer: what ends by silence ends hours later."""
        return super().choose_gap(alert, now) * 2

    def send_change(self, alert: Alert, part: str, now: datetime, *, begins: bool) -> None:
        if begins:
            alert.next_report = now

    def send_report(self, alert: Alert, now: datetime) -> None:
        for part in alert.firing:
            text = json.dumps({"message": "it failed", "code": alert.code, "tenant": alert.tenant})
            local = now + self._offset
            line = f"<10>{local:%b} {local.day:2d} {local:%H:%M:%S} host {alert.service}: @cee: {text}"
            self._socket.sendto(line.encode(), self._address)
            self.ever.add(alert.key(part))


class CheckInSender(Sender):
    """Check-ins of jobs by Sentry's URL: every job says how it went, in each of its environments."""

    name = "Sentry check-ins"

    def send_change(self, alert: Alert, part: str, now: datetime, *, begins: bool) -> None:
        slug = alert.code.removeprefix("CRON_").removesuffix("_FAILED").lower()
        query = {"status": "error" if begins else "ok", "environment": part}
        url = f"{self.url}/api/1/cron/{slug}/key/"
        self.enqueue(alert.key(part) if begins else None, lambda: self.http.get(url, params=query))

    def send_report(self, alert: Alert, now: datetime) -> None:
        for part in alert.parts:
            self.send_change(alert, part, now, begins=part in alert.firing)


@contextmanager
def run_alertmanager(folder: Path, port: int, webhook: str) -> Iterator[str]:
    """A real Alertmanager that sends everything to a webhook. Gives its URL."""
    assert ALERTMANAGER is not None
    route = {
        "receiver": "us",
        "group_wait": "0s",
        "group_interval": "2s",
        "repeat_interval": "1m",
        "group_by": ["alertname"],
    }
    hook = {"url": webhook, "send_resolved": True}
    config = {"route": route, "receivers": [{"name": "us", "webhook_configs": [hook]}]}
    (folder / "alertmanager.yml").write_text(json.dumps(config), encoding="utf-8")
    address = f"127.0.0.1:{port}"
    command = (
        ALERTMANAGER,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )
    with (folder / "alertmanager.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"http://{address}"
    finally:
        process.kill()
        process.wait()
