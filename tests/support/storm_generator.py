"""A seeded storm as requests; wrk sends them to whatever takes them, so that sending costs the same."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

from support.firstcause_process import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVICES = tuple(f"service-{number}" for number in range(20))
CODES = tuple(f"{kind}_{number}" for number in range(10) for kind in ("LATENCY_HIGH", "ERRORS"))
TENANTS = ("acme", "bolt", "cora")

_POLL_INTERVAL_S = 0.5

_WRK_SCRIPT = """
local requests, at, wait = {}, 0, 0
function init(args)
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", args[2], {["Content-Type"] = "application/json"}, line)
  end
  wait = tonumber(args[3])
  -- Senders do not march in step.
  if wait > 0 then delay = function() return math.random(0, 2 * wait) end end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "refused": %d, "broken": %d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
"""


def generate_events(rng: random.Random) -> Iterator[dict[str, Any]]:
    """Errors without end; no two messages are the same."""
    index = 0
    while True:
        index += 1
        code, service = rng.choice(CODES), rng.choice(SERVICES)
        elapsed_ms, host = rng.randrange(200, 9000), rng.randrange(256)
        yield {
            "code": code,
            "service": service,
            "tenant": rng.choice(TENANTS),
            "severity": rng.choice(("WARNING", "CRITICAL")),
            "message": f"request {index} to {service} took {elapsed_ms} ms on 10.0.3.{host}, limit 200 ms",
            "details": {"attempt": rng.randrange(5), "route": f"/orders/{rng.randrange(100_000)}"},
        }


def to_alert(event: dict[str, Any]) -> dict[str, Any]:
    """The same for Alertmanager: labels are what tells errors apart, the rest is annotation."""
    labels = {"alertname": event["code"], **{name: event[name] for name in ("service", "tenant", "severity")}}
    annotations = {
        "message": event["message"],
        **{name: str(value) for name, value in event["details"].items()},
    }
    return {"labels": labels, "annotations": annotations}


def write_requests(
    path: Path, count: int, batch_size: int, convert: Callable[[dict[str, Any]], Any] = dict
) -> Path:
    """A file of `many` bodies, a line each, with `each` errors a body."""
    events = generate_events(random.Random(1))
    with path.open("w", encoding="utf-8") as file:
        for _ in range(count):
            file.write(
                json.dumps([convert(next(events)) for _ in range(batch_size)], separators=(",", ":")) + "\n"
            )
    return path


def write_sentry_requests(path: Path, count: int) -> Path:
    """The same as events of a Sentry SDK's store endpoint, each with an id that wrk sends over and over."""
    rng = random.Random(2)
    payloads = (
        {
            "event_id": f"{rng.getrandbits(128):032x}",
            "platform": "python",
            "timestamp": "2026-11-25T12:00:00Z",
            "level": "error",
            "logentry": {"message": event["message"]},
            "tags": {"service": event["service"], "tenant": event["tenant"], "code": event["code"]},
        }
        for event in generate_events(random.Random(1))
    )
    with path.open("w", encoding="utf-8") as file:
        for _, payload in zip(range(count), payloads, strict=False):
            file.write(json.dumps(payload) + "\n")
    return path


@dataclass(frozen=True)
class LoadResult:
    """What a sender saw. rate: requests a second that were accepted."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int

    @property
    def accepted(self) -> int:
        return self.requests - self.refused

    @property
    def rate(self) -> float:
        return self.accepted / self.seconds


def send(
    url: str, bodies: Path, *, seconds: float, connections: int = 16, rate: float | None = None
) -> LoadResult:
    """Post the bodies over and over. rate: requests a second, as many as are taken where it is None."""
    host, _, path = url.removeprefix("http://").partition("/")
    script = bodies.with_suffix(".lua")
    script.write_text(_WRK_SCRIPT, encoding="utf-8")
    wait = connections / rate * 1000 if rate else 0
    completed = subprocess.run(
        ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds:g}s", "--timeout", "20s", "-s", script,
         f"http://{host}/", "--", bodies, f"/{path}", f"{wait:.3f}"],
        capture_output=True, text=True, timeout=seconds + 60, check=True,
    )  # fmt: skip
    match = re.search(r"\{.*\}", completed.stdout)
    assert match, completed.stdout + completed.stderr
    return LoadResult(**json.loads(match[0]))


class Alertmanager:
    """Alertmanager as Debian has it, on loopback, alone."""

    program = shutil.which("prometheus-alertmanager")

    def __init__(self, folder: Path, port: int) -> None:
        config = folder / "alertmanager.yml"
        config.write_text(
            "route: {receiver: nobody, group_by: [alertname], group_wait: 1h}\nreceivers: [{name: nobody}]\n"
        )
        self.url = f"http://127.0.0.1:{port}"
        with (folder / "alertmanager.log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(self.program), f"--config.file={config}", f"--storage.path={folder / 'alertmanager'}",
                 f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="],
                stdout=log, stderr=log,
            )  # fmt: skip

    def __enter__(self) -> Self:
        wait_until(self._is_ready, "Alertmanager")
        return self

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def resident_mb(pid: int) -> float:
    """Its resident memory, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    line = next(line for line in lines if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def measure_wait(condition: Callable[[], bool], timeout_s: float) -> float:
    """Seconds until it happens; asked seldom, as asking costs the one who is measured."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < timeout_s, f"waited {timeout_s} s in vain"
        time.sleep(_POLL_INTERVAL_S)
    return time.monotonic() - started
