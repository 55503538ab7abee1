"""The files of a new plugin's package, by kind. `$name` and the like are filled in; `$$` is a dollar."""

from __future__ import annotations

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "$dist"
version = "0.1.0"
description = "A plugin of firstcause: $kind $name"
requires-python = ">=3.11"
dependencies = [$dependencies]

[project.optional-dependencies]
test = ["firstcause[testing]", "mypy>=1.15"]

[project.entry-points.firstcause]
$name = "$module"          # its settings are [plugins.$table]

[tool.hatch.build.targets.wheel]
packages = ["$module"]

[tool.pytest.ini_options]
testpaths = ["tests"]
addopts = "--import-mode=importlib"

[tool.mypy]
strict = true
plugins = ["pydantic.mypy"]
files = ["$module", "tests"]
"""

README = """\
# $dist

A plugin of firstcause. Its kind: $kind.

```sh
pip install -e ".[test]"
pytest && mypy                  # the tests and the types
firstcause plugins check $name   # calls each hook as firstcause does, and says what is wrong
firstcause plugins list
```

Its settings are the table `[plugins.$table]` of `config.toml`.
"""

WORKFLOW = """\
name: test
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        python: ["3.11", "3.12"]
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: $${{ matrix.python }}
      - run: pip install -e ".[test]"
      - run: pytest
      - run: mypy
      - run: firstcause plugins check $name
"""

GITIGNORE = """\
__pycache__/
*.egg-info/
.venv/
dist/
"""

CONFTEST = """\
pytest_plugins = ["firstcause.testing"]
"""

DEPENDENCIES: dict[str, tuple[str, ...]] = {
    "probe": ("pydantic",),
    "notifier": ("httpx", "pydantic"),
    "enrich": ("pydantic",),
    "facts": ("pydantic",),
    "intake": (),
    "remedy": ("pydantic",),
    "listener": ("pydantic",),
    "rules": (),
}

_PROBE = '''\
"""Watches a folder of waiting jobs."""

from pathlib import Path

from firstcause import Probe, Reading, Status, hookimpl
from pydantic import BaseModel

REQUIRED_API = "$api"


class Config(BaseModel):
    """The table [plugins.$table]. path: the folder. max_waiting: files beyond which it is DOWN."""

    path: str | None = None
    max_waiting: int = 1000


@hookimpl
def firstcause_probes(config: Config) -> list[Probe]:
    if config.path is None:
        return []
    path = Path(config.path)

    def check() -> Reading:
        waiting = sum(1 for _ in path.iterdir())
        status = Status.UP if waiting <= config.max_waiting else Status.DOWN
        return Reading(status=status, detail=f"{waiting} waiting", data={"waiting": waiting})

    return [Probe(name="$name", component="$name", check=check, code="${CODE}_DOWN")]
'''

_PROBE_TEST = """\
from collections.abc import Callable
from pathlib import Path

import $module
from firstcause.testing import Host


def test_too_many_files_are_an_incident(plugin_host: Callable[..., Host], tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    folder.mkdir()
    host = plugin_host($module, name="$name", config={"path": str(folder), "max_waiting": 1})
    assert host.run_probe("$name")["status"] == "UP"
    for number in range(3):
        (folder / str(number)).touch()
    assert host.run_probe("$name")["detail"] == "3 waiting"
    host.clock.advance("1m")
    host.run_probe("$name")  # the second look: one failure alone does not count
    (incident,) = host.incidents("open")
    assert incident["root"]["code"] == "${CODE}_DOWN"


def test_without_a_folder_there_is_no_probe(plugin_host: Callable[..., Host]) -> None:
    assert plugin_host($module, name="$name").problems == []
"""

_NOTIFIER = '''\
"""Sends notifications to a service that takes JSON."""

import httpx
from firstcause import DeliveryError, Notification, Notifier, hookimpl
from pydantic import BaseModel, SecretStr

REQUIRED_API = "$api"


class Config(BaseModel):
    """The table [plugins.$table]; without url nothing is sent. token_file may hold the token."""

    url: str | None = None
    token: SecretStr | None = None


class Sender:
    """Sends to one address. Its repr shows no secret."""

    def __init__(self, url: str, token: SecretStr | None) -> None:
        self._url = url
        self._token = token

    def send(self, notification: Notification) -> str | None:
        headers = {"Idempotency-Key": notification.id}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        body = {"title": notification.subject, "text": notification.body, "link": notification.link}
        try:
            response = httpx.post(self._url, json=body, headers=headers, timeout=10)
        except httpx.ConnectError as error:
            raise DeliveryError(f"no connection: {error}") from None
        except httpx.HTTPError as error:
            raise DeliveryError(f"no answer: {error}", maybe_delivered=True) from None
        if response.is_success:
            return None
        raise DeliveryError(
            f"it answered {response.status_code}",
            permanent=response.is_client_error and response.status_code != httpx.codes.TOO_MANY_REQUESTS,
            retry_after=response.headers.get("Retry-After"),
        )


@hookimpl
def firstcause_notifiers(config: Config) -> list[Notifier]:
    if config.url is None:
        return []
    return [Notifier(name="$name", send=Sender(config.url, config.token).send)]
'''

_NOTIFIER_TEST = """\
from collections.abc import Callable

import pytest
import $module
from firstcause import DeliveryError
from firstcause.testing import Host, HttpSink, make_notification
from pydantic import SecretStr


def test_an_incident_is_sent(plugin_host: Callable[..., Host], http_sink: HttpSink) -> None:
    host = plugin_host(
        $module,
        name="$name",
        config={"url": http_sink.url, "token": "a-secret-word"},
        notify={"routes": [{"name": "ops", "notifiers": ["$name"]}]},
    )
    host.report("${CODE}_BROKEN", service="shop")
    host.deliver()
    (request,) = http_sink.requests
    assert request.headers["authorization"] == "Bearer a-secret-word"
    assert "${CODE}_BROKEN" in request.json["text"]


@pytest.mark.parametrize(("status", "permanent"), [(401, True), (429, False), (503, False)])
def test_a_refusal_says_whether_a_retry_can_help(http_sink: HttpSink, status: int, permanent: bool) -> None:
    http_sink.status = status
    sender = $module.Sender(http_sink.url, SecretStr("a-secret-word"))
    with pytest.raises(DeliveryError) as refused:
        sender.send(make_notification())
    assert refused.value.permanent is permanent
    assert "a-secret-word" not in repr(sender)
"""

_ENRICH = '''\
"""Adds to each event who owns its service."""

from firstcause import Enrichment, Event, hookimpl
from pydantic import BaseModel, Field

REQUIRED_API = "$api"


class Config(BaseModel):
    """The table [plugins.$table]. owners: service -> team."""

    owners: dict[str, str] = Field(default_factory=dict)


@hookimpl
def firstcause_enrich(event: Event, config: Config) -> Enrichment | None:
    owner = config.owners.get(event.service or "")
    return Enrichment(tags={"owner": owner}) if owner is not None else None
'''

_ENRICH_TEST = """\
from collections.abc import Callable

import $module
from firstcause.testing import Host


def test_a_notification_names_the_owner(plugin_host: Callable[..., Host]) -> None:
    host = plugin_host($module, name="$name", config={"owners": {"shop": "payments"}})
    host.report("${CODE}_BROKEN", service="shop")
    (notification,) = host.deliver()
    assert notification.owner == "payments"


def test_an_unknown_service_has_none(plugin_host: Callable[..., Host]) -> None:
    host = plugin_host($module, name="$name", config={"owners": {"shop": "payments"}})
    host.report("${CODE}_BROKEN", service="other")
    assert host.deliver()[0].owner is None
"""

_FACTS = '''\
"""Gives rules a fact: that a file announces maintenance."""

from pathlib import Path

from firstcause import FactContext, SuppliedFact, hookimpl
from pydantic import BaseModel

REQUIRED_API = "$api"


class Config(BaseModel):
    """The table [plugins.$table]. file: it exists during maintenance, and says of what."""

    file: str | None = None


@hookimpl
def firstcause_facts(context: FactContext, config: Config) -> list[SuppliedFact]:
    # In a rule file: `when: {work: {kind: ${snake}_work, component: ...}}`. Called often, so keep it quick.
    if config.file is None or not context.codes or not Path(config.file).exists():
        return []
    component = Path(config.file).read_text(encoding="utf-8").strip()
    return [SuppliedFact("${snake}_work", {"component": component}, id="$name")]
'''

_FACTS_TEST = """\
from collections.abc import Callable
from pathlib import Path

import $module
from firstcause import FactContext
from firstcause.testing import Host

CONTEXT = FactContext(codes=frozenset({"${CODE}_BROKEN"}), tenants=frozenset())


def test_the_file_is_a_fact_while_it_exists(tmp_path: Path) -> None:
    file = tmp_path / "maintenance"
    config = $module.Config(file=str(file))
    assert $module.firstcause_facts(CONTEXT, config) == []
    file.write_text("shop\\n")
    (fact,) = $module.firstcause_facts(CONTEXT, config)
    assert (fact.id, fact.fields) == ("$name", {"component": "shop"})


def test_firstcause_takes_it(plugin_host: Callable[..., Host], tmp_path: Path) -> None:
    file = tmp_path / "maintenance"
    file.write_text("shop")
    host = plugin_host($module, name="$name", config={"file": str(file)})
    host.report("${CODE}_BROKEN")
    (state,) = [state for state in host.states if state.name == "$name"]
    assert state.usage["firstcause_facts"].calls > 0
    assert state.usage["firstcause_facts"].failures == 0
"""

_INTAKE = '''\
"""Takes the webhook of another tool: POST /api/v1/webhooks/$name."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from firstcause import (
    Event,
    IntakeError,
    IntakeFormat,
    IntakeResult,
    Severity,
    code_of,
    hookimpl,
    parse_items,
)

REQUIRED_API = "$api"


def parse(body: bytes, headers: Mapping[str, str]) -> IntakeResult:
    try:
        items = json.loads(body)["problems"]
    except (ValueError, LookupError, TypeError):
        raise IntakeError('send JSON such as {"problems": [{"id": 1, "name": "DiskFull"}]}', 422) from None
    if not isinstance(items, list):
        raise IntakeError("problems is not a list", 422)
    now = datetime.now(UTC)

    def parse_item(index: int, item: object) -> Event | str:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise IntakeError(f"problem {index} has no name", 422)
        if item.get("state") == "test":
            return "test"  # not an error: counted under this word
        return Event(
            id=f"$name:{item.get('id', index)}",
            time=now,
            code=code_of(item["name"]),
            message=str(item.get("text", item["name"])),
            severity=Severity.from_word(str(item.get("level", "warning"))),
            resolved=item.get("state") == "ok",
        )

    return parse_items(items, parse_item)


@hookimpl
def firstcause_intake() -> list[IntakeFormat]:
    return [IntakeFormat("$name", parse)]
'''

_INTAKE_TEST = """\
from collections.abc import Callable

import pytest
import $module
from firstcause import IntakeError
from firstcause.testing import Host

BODY = b'{"problems": [{"id": 7, "name": "DiskFull", "level": "critical", "text": "97 % full"}, {"id": 8}]}'


def test_a_problem_is_an_incident_and_a_broken_one_costs_none(plugin_host: Callable[..., Host]) -> None:
    host = plugin_host($module, name="$name")
    (event,) = host.post("$name", BODY)
    assert event.message == "97 % full"
    (incident,) = host.incidents("open")
    assert incident["root"]["code"] == "DISK_FULL"


@pytest.mark.parametrize("body", [b"", b"hello", b"[1]", b'{"problems": 3}'])
def test_anything_else_is_refused_in_words(plugin_host: Callable[..., Host], body: bytes) -> None:
    with pytest.raises(IntakeError):
        plugin_host($module, name="$name").post("$name", body)
"""

_REMEDY = '''\
"""A fix that people can run from the page: empties a folder of temporary files."""

from pathlib import Path

from firstcause import Remedy, hookimpl
from pydantic import BaseModel

REQUIRED_API = "$api"


class Config(BaseModel):
    """The table [plugins.$table]. folder: what is emptied."""

    folder: str | None = None


@hookimpl
def firstcause_remedies(config: Config) -> list[Remedy]:
    if config.folder is None:
        return []
    folder = Path(config.folder)

    def list_files() -> list[Path]:
        return sorted(path for path in folder.iterdir() if path.is_file())

    def plan() -> str:
        return f"delete {len(list_files())} files in {folder}"

    def run() -> str:
        files = list_files()
        for file in files:
            file.unlink()
        return f"deleted {len(files)} files"

    return [Remedy(name="$name", component="$name", plan=plan, run=run)]
'''

_REMEDY_TEST = """\
from collections.abc import Callable
from pathlib import Path

import $module
from firstcause.testing import Host


def test_it_does_what_its_plan_says(plugin_host: Callable[..., Host], tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir()
    (folder / "a").touch()
    config = $module.Config(folder=str(folder))
    (remedy,) = $module.firstcause_remedies(config)
    assert remedy.plan() == f"delete 1 files in {folder}"
    host = plugin_host($module, name="$name", config={"folder": str(folder)})
    assert host.run_remedy("$name") == "deleted 1 files"
    assert list(folder.iterdir()) == []
"""

_LISTENER = '''\
"""Receives errors as UDP packets: a name, a blank, a text."""

import socket
import threading
import uuid
from datetime import UTC, datetime

from firstcause import Event, FirstcauseError, Listener, Submit, code_of, hookimpl
from pydantic import BaseModel

REQUIRED_API = "$api"


class Config(BaseModel):
    """The table [plugins.$table]; without port it does not listen."""

    host: str = "127.0.0.1"
    port: int | None = None


def parse(packet: bytes) -> Event:
    name, _, text = packet.decode("utf-8", "replace").strip().partition(" ")
    return Event(id=str(uuid.uuid4()), time=datetime.now(UTC), code=code_of(name), message=text or name)


def receive(sock: socket.socket, submit: Submit, stop: threading.Event) -> None:
    """Submit packets until `stop` is set."""
    sock.settimeout(0.5)
    while not stop.is_set():
        try:
            packet = sock.recv(65535)
        except TimeoutError:
            continue
        try:
            submit([parse(packet)])
        except FirstcauseError:
            continue  # UDP has no way to ask the sender to wait


@hookimpl
def firstcause_listeners(config: Config) -> list[Listener]:
    if config.port is None:
        return []
    address = (config.host, config.port)

    def run(submit: Submit, stop: threading.Event) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(address)
            receive(sock, submit, stop)

    return [Listener("$name", run)]
'''

_LISTENER_TEST = """\
import socket
import threading
from collections.abc import Callable, Sequence

import $module
from firstcause import Event, IntakeResult
from firstcause.testing import Host


def test_a_packet_is_an_event(plugin_host: Callable[..., Host]) -> None:
    events: list[Event] = []
    stop = threading.Event()

    def submit(submitted: Sequence[Event] | IntakeResult) -> None:
        assert not isinstance(submitted, IntakeResult)
        events.extend(submitted)
        stop.set()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=$module.receive, args=(sock, submit, stop))
        thread.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"DiskFull 97 % full", sock.getsockname())
        thread.join(20)
    host = plugin_host($module, name="$name")
    host.take(*events)
    assert [incident["root"]["code"] for incident in host.incidents("open")] == ["DISK_FULL"]
"""

_RULES = '''\
"""Ships rule files: what the errors of one component mean, and how to fix them."""

from pathlib import Path

from firstcause import hookimpl

REQUIRED_API = "$api"


@hookimpl
def firstcause_rules() -> list[Path]:
    return [Path(__file__).parent / "rules"]
'''

_RULES_TEST = """\
from collections.abc import Callable

import $module
from firstcause.testing import Host


def test_the_cause_is_found_below_its_effect(plugin_host: Callable[..., Host]) -> None:
    host = plugin_host($module, name="$name")
    host.report("${CODE}_SLOW", service="shop")
    incident = host.report("${CODE}_DISK_FULL", service="shop")
    assert len(host.incidents("open")) == 1
    assert incident["root"]["code"] == "${CODE}_DISK_FULL"
    assert incident["how_to_fix"]["steps"] == ["Delete old files."]
"""

RULE_FILE = """\
component: $name
catalog:
  - code: ${CODE}_DISK_FULL
    title: The disk of $name is full
    category: INFRASTRUCTURE
    severity: CRITICAL
    match: ["$name.*no space left on device"]
    causes: [${CODE}_SLOW]
    fix: {steps: ["Delete old files."]}
  - code: ${CODE}_SLOW
    title: $name answers slowly
    category: SYSTEM
    severity: WARNING
tests:
  - name: a full disk makes $name slow
    given:
      - {at: 0s, event: {code: ${CODE}_SLOW, service: shop}}
      - {at: 20s, event: {code: ${CODE}_DISK_FULL, service: shop}}
    expect: {incidents: 1, root: ${CODE}_DISK_FULL, cascades: [${CODE}_SLOW]}
"""

MODULES = {
    "probe": _PROBE,
    "notifier": _NOTIFIER,
    "enrich": _ENRICH,
    "facts": _FACTS,
    "intake": _INTAKE,
    "remedy": _REMEDY,
    "listener": _LISTENER,
    "rules": _RULES,
}

TESTS = {
    "probe": _PROBE_TEST,
    "notifier": _NOTIFIER_TEST,
    "enrich": _ENRICH_TEST,
    "facts": _FACTS_TEST,
    "intake": _INTAKE_TEST,
    "remedy": _REMEDY_TEST,
    "listener": _LISTENER_TEST,
    "rules": _RULES_TEST,
}
