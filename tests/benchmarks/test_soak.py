"""A day of alerts with everything against it: clocks apart, receivers that fail, and restarts.

Settings in the environment: FIRSTCAUSE_SOAK_HOURS, simulated hours, 2 unless set (the bar is 24);
FIRSTCAUSE_SOAK_SPEED, simulated seconds in one; FIRSTCAUSE_SOAK_SEED, of everything that happens at random.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from support.benchmark_figures import Recorder, at_most
from support.database_servers import free_port
from support.firstcause_process import DaemonProcess
from support.simulated_clock import COMPILER, SimulatedClock
from support.soak_check import Findings, Route, check_alerts, check_receiver
from support.soak_senders import (
    ALERTMANAGER,
    Alert,
    AlertmanagerSender,
    CheckInSender,
    FlappingSender,
    NativeSender,
    PrometheusSender,
    Sender,
    SyslogSender,
    run_alertmanager,
)
from support.unreliable_receivers import (
    Faults,
    UnreliableMailServer,
    UnreliableReceiver,
    UnreliableWebServer,
    parse_apprise,
    parse_webhook,
)

if TYPE_CHECKING:
    from pathlib import Path

HOURS = float(os.environ.get("FIRSTCAUSE_SOAK_HOURS", "2"))
SPEED = int(os.environ.get("FIRSTCAUSE_SOAK_SPEED", "120"))
SEED = os.environ.get("FIRSTCAUSE_SOAK_SEED", "1")

CLOCK_AHEAD = timedelta(hours=1)
"""How far ahead of Alertmanager's clock the simulated one begins."""

RESTARTS = ("term", "kill", "term", "kill", "term")
RESTARTS_WITHIN = (0.08, 0.92)
"""The part of the time in which the restarts are."""

DOWN_S = (3.0, 9.0)
"""Real seconds that the daemon is down."""

OUTAGE = timedelta(minutes=20)
"""How long a receiver refuses connections at a time."""

SETTLE_TIMEOUT_S = 600.0

STATUSES = ("open", "resolved", "merged")
MAX_INCIDENTS = 1000
"""Of one status, in one answer."""

CONFIG = """
[store]
url = "{store_url}"
[intake]
resolve_after = "3h"
[notify]
group_wait = "1s"
repeat_interval = "0s"
default_limit = {{max = 10000, per = "1m"}}
[[notify.routes]]
name = "hook"
notifiers = ["webhook"]
continue = true
[[notify.routes]]
name = "chat"
tenants = ["chat"]
notifiers = ["apprise"]
continue = true
[[notify.routes]]
name = "mail"
tenants = ["mail"]
notifiers = ["mail"]
[health]
interval = "1d"
[plugins.webhook]
url = "http://127.0.0.1:{webhook_port}/hook"
timeout = 1.5
[plugins.apprise]
urls = ["json://127.0.0.1:{apprise_port}/chat"]
timeout = 1.5
[plugins.mail]
host = "127.0.0.1"
port = {mail_port}
security = "none"
from_address = "firstcause@ops.example"
to = ["oncall@ops.example"]
timeout = 1.5
[plugins.syslog]
udp = {syslog_port}
[plugins.sentry]
projects = {{"1" = "jobs"}}
"""

ROUTES = (
    Route("webhook", "webhook", None),
    Route("apprise json", "apprise", "chat"),
    Route("mail", "mail", "mail"),
)

pytestmark = [
    pytest.mark.alone,
    pytest.mark.slow,
    pytest.mark.timeout(3600 + 3600 * HOURS / SPEED * 2),
    pytest.mark.skipif(ALERTMANAGER is None, reason="Alertmanager is not installed"),
    pytest.mark.skipif(COMPILER is None, reason="no C compiler, to build the simulated clock"),
]


@dataclass
class Soak:
    """Everything that runs."""

    folder: Path
    store_url: str
    random: random.Random = field(default_factory=lambda: random.Random(SEED))

    def __post_init__(self) -> None:
        self.port, self.syslog_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.clock = SimulatedClock(self.folder, SPEED, CLOCK_AHEAD)
        self.faults = [Faults(random.Random(self.random.random())) for _ in ROUTES]
        self.webhook = UnreliableWebServer(self.faults[0], parse_webhook)
        self.apprise = UnreliableWebServer(self.faults[1], parse_apprise)
        self.mail = UnreliableMailServer(self.faults[2])
        self.receivers: tuple[UnreliableReceiver, ...] = (self.webhook, self.apprise, self.mail)
        self.senders: list[Sender] = []
        self.ended = threading.Event()
        self.daemon: DaemonProcess | None = None

    def write_config(self) -> None:
        config = CONFIG.format(
            store_url=self.store_url,
            webhook_port=self.webhook.port,
            apprise_port=self.apprise.port,
            mail_port=self.mail.port,
            syslog_port=self.syslog_port,
        )
        (self.folder / "config.toml").write_text(config, encoding="utf-8")

    def start_daemon(self) -> None:
        self.daemon = DaemonProcess(self.folder, self.port, self.clock.environment, is_forked=False)

    def stop_daemon(self) -> None:
        if self.daemon is not None and self.daemon.process.poll() is None:
            self.daemon.kill()

    def create_senders(self, alertmanager: str) -> None:
        def prepare(*alerts: Alert) -> tuple[Any, ...]:
            return self.clock, random.Random(self.random.random()), alerts

        four = ("db1", "db2", "db3", "db4")
        self.senders = [
            AlertmanagerSender(
                alertmanager,
                *prepare(
                    Alert("DISK_FILLS", "storage", "chat", four),
                    Alert("REPLICA_LAGS", "replication", "mail", four),
                    Alert("LOAD_RISES", "compute", None, four),
                ),
            ),
            NativeSender(
                self.url,
                *prepare(
                    Alert("CART_BREAKS", "cart", "chat"), Alert("SEARCH_BREAKS", "search", "mail", ("a", "b"))
                ),
                name="native, honest clock",
            ),
            NativeSender(
                self.url,
                *prepare(
                    Alert("STOCK_BREAKS", "stock", "mail"), Alert("PRICE_BREAKS", "price", None, ("a", "b"))
                ),
                name="native, 1 h behind",
                offset=timedelta(hours=-1),
            ),
            NativeSender(
                self.url,
                *prepare(
                    Alert("PARCEL_BREAKS", "parcel", "chat"),
                    Alert("LABEL_BREAKS", "label", "mail", ("a", "b")),
                ),
                name="native, 5 min ahead",
                offset=timedelta(minutes=5),
            ),
            PrometheusSender(
                self.url,
                *prepare(
                    Alert("TARGET_GONE", "scrape", "chat", ("x", "y")), Alert("QUEUE_GROWS", "queue", "mail")
                ),
            ),
            SyslogSender(
                self.url,
                *prepare(Alert("KERNEL_OOPS", "kernel", "chat"), Alert("RAID_DEGRADED", "raid", "mail")),
                port=self.syslog_port,
            ),
            CheckInSender(
                self.url,
                *prepare(
                    *(
                        Alert(f"CRON_{job}_FAILED", "jobs", None, ("prod", "stage"), "environment")
                        for job in ("BACKUP", "BILLING")
                    )
                ),
            ),
            FlappingSender(self.url, *prepare(Alert("LINK_FLAPS", "link", "chat")), name="flapping"),
        ]

    def run_outages(self) -> None:
        """One receiver after the other refuses connections for a while, until the soak ends."""
        while not self.ended.wait(self.clock.to_real_s(OUTAGE * (1 + 2 * self.random.random()))):
            receiver = self.random.choice(self.receivers)
            receiver.set_listening(listening=False)
            self.ended.wait(self.clock.to_real_s(OUTAGE))
            receiver.set_listening(listening=True)

    def run_restarts(self) -> None:
        """Restart the daemon at random moments, until the time is over."""
        started, length_s = time.monotonic(), self.clock.to_real_s(timedelta(hours=HOURS))
        # Two in a short run.
        ways = RESTARTS if len(RESTARTS) * 2 <= HOURS else RESTARTS[:2]
        first, last = RESTARTS_WITHIN
        slot = (last - first) / len(ways)
        for number, way in enumerate(ways):
            share = first + slot * (number + self.random.random() * 0.7)
            time.sleep(max(0.0, started + share * length_s - time.monotonic()))
            assert self.daemon is not None
            if way == "kill":
                self.daemon.kill()
            else:
                assert self.daemon.stop() == 0
            time.sleep(self.random.uniform(*DOWN_S))
            self.start_daemon()
        time.sleep(max(0.0, started + length_s - time.monotonic()))

    def settle(self) -> None:
        """Nothing changes any more, and every receiver is well."""
        self.ended.set()
        for sender in self.senders:
            sender.frozen = True
        for faults in self.faults:
            faults.healthy = True

    def check(self) -> Findings:
        incidents = [incident for status in STATUSES for incident in self._list_incidents(status)]
        findings = Findings()
        check_alerts(self.senders, incidents, findings)
        for route, receiver in zip(ROUTES, self.receivers, strict=True):
            check_receiver(route, list(receiver.messages), incidents, findings)
        self._check_flapping(incidents, findings)
        for sender in self.senders:
            if sender.error is not None or not sender.is_idle:
                findings.violations.append(f"{sender.name} is not done: {sender.error!r}")
        return findings

    def _list_incidents(self, status: str) -> list[dict[str, Any]]:
        query: dict[str, Any] = {"status": status, "limit": MAX_INCIDENTS}
        listed = httpx.get(f"{self.url}/api/v1/incidents", params=query, timeout=60).json()["incidents"]
        assert len(listed) < MAX_INCIDENTS
        return list(listed)

    def _check_flapping(self, incidents: list[dict[str, Any]], findings: Findings) -> None:
        (flapper,) = (sender for sender in self.senders if isinstance(sender, FlappingSender))
        ids = {int(one["id"]) for one in incidents if one["root"]["code"] == flapper.alerts[0].code}
        for route, receiver in zip(ROUTES[:2], self.receivers[:2], strict=True):
            told = sum(
                message.incident in ids and message.kind == "flapping" and not message.marked
                for message in receiver.messages
            )
            if not 1 <= told <= flapper.episodes:
                findings.violations.append(
                    f"{route.receiver} is told {told} times of {flapper.episodes} times that it flapped"
                )

    def format_results(self, findings: Findings) -> str:
        faults = (
            f"faults of {route.receiver}: {dict(faults.counts)}"
            for route, faults in zip(ROUTES, self.faults, strict=True)
        )
        return "\n".join([findings.format_table(), *faults])


def _wait_until_clean(soak: Soak) -> Findings:
    """Wait until nothing is wrong, twice in a row: a repeat may come late."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    clean = 0
    while True:
        findings = soak.check()
        # What is wrong while it settles is seen there.
        (soak.folder / "findings.txt").write_text(soak.format_results(findings), encoding="utf-8")
        clean = 0 if findings.violations else clean + 1
        if clean == 2 or time.monotonic() >= deadline:
            return findings
        time.sleep(10.0)


def test_a_day_with_everything_against_it(store_url: str, tmp_path: Path, record: Recorder) -> None:
    soak = Soak(tmp_path, store_url)
    with ExitStack() as stack:
        for receiver in (soak.webhook, soak.apprise, soak.mail):
            stack.enter_context(receiver)
        soak.write_config()
        stack.callback(soak.stop_daemon)
        soak.start_daemon()
        webhook = f"{soak.url}/api/v1/webhooks/alertmanager"
        soak.create_senders(stack.enter_context(run_alertmanager(tmp_path, free_port(), webhook)))
        for sender in soak.senders:
            sender.start()
            stack.callback(sender.stop)
        outages = threading.Thread(target=soak.run_outages, daemon=True)
        outages.start()
        stack.callback(soak.ended.set)
        soak.run_restarts()
        soak.settle()
        outages.join()
        findings = _wait_until_clean(soak)
    sys.stdout.write(f"\n{soak.format_results(findings)}\n")
    record("what a soak found wrong with alerts and messages", len(findings.violations), bar=at_most(0))
    assert not findings.violations
