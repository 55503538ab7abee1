"""docs/plugins.md, held to what it says: every hook with its arguments, and code that runs."""

from __future__ import annotations

import inspect
import re
import types
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from click.testing import CliRunner

import firstcause
from firstcause import Status, hookspecs
from firstcause.plugins.manager import PluginManager
from firstcause.resources import shipped_path
from support.firstcause_process import wait_until
from support.http_server import serve_stage

if TYPE_CHECKING:
    from pathlib import Path

GUIDE = (shipped_path("rules").parent / "docs" / "plugins.md").read_text()


def test_it_lists_every_hook_with_its_arguments_and_no_other() -> None:
    hooks = {name: each for name, each in vars(hookspecs).items() if name.startswith("firstcause_")}
    told = re.findall(r"^\| `(firstcause_\w+\(.*?\))` \|", GUIDE, re.MULTILINE)
    assert sorted(told) == sorted(
        f"{name}({', '.join(inspect.signature(each).parameters)})" for name, each in hooks.items()
    )


def test_what_it_names_can_be_imported() -> None:
    given = set(re.findall(r"`(?:firstcause\.)?([A-Z][A-Za-z]+)`", GUIDE)) - {
        "KubeJobFailed",
        "Path",
        "Config",
        "SecretStr",
    }
    assert {"IntakeFormat", "IntakeResult", "Listener", "Probe"} <= given
    assert {name for name in given if not hasattr(firstcause, name)} == set()


def module(number: int) -> types.ModuleType:
    made = types.ModuleType(f"of_the_guide_{number}")
    exec(re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)[number], vars(made))
    return made


def test_its_probe_is_one(tmp_path: Path) -> None:
    queue = module(0)
    (probe,) = queue.firstcause_probes(queue.Config(path=str(tmp_path), max_waiting=0))
    assert probe.check().status is Status.UP
    (tmp_path / "one").touch()
    assert probe.check().status is Status.DOWN


def test_its_settings_name_their_former_keys() -> None:
    host = PluginManager([])
    host.register(module(1), "queue", {"most": 3})
    (state,) = host.states()
    assert state.problems == ("[plugins.queue] most was renamed; write max_waiting",)


def test_its_lazy_probe_is_one() -> None:
    host = PluginManager([])
    host.register(module(2), "queue")
    (probe,) = host.probes()
    assert (probe.check().status, probe.close is not None) == (Status.UP, True)


def test_its_command_is_one() -> None:
    host = PluginManager([])
    host.register(module(5), "queue")
    (command,) = host.commands()
    assert CliRunner().invoke(command, ["mail"]).output == "drained mail\n"


def test_its_way_in_is_one(tmp_path: Path) -> None:
    with serve_stage(tmp_path, module(3)) as (client, stage):
        assert client.post("/api/v1/webhooks/pager", content=b"QueueStuck 9000 wait").status_code == 202
        incident = wait_until(lambda: stage.incidents("open"), "an incident")[0]
        assert incident["root"]["code"] == "QUEUE_STUCK"
        refused = client.post("/api/v1/webhooks/pager", content=b"x")
        assert (refused.status_code, "a name and a text" in refused.json()["error"]) == (422, True)


def test_its_list_of_items_is_one() -> None:
    items = [{"id": 1, "text": "down"}, {"state": "fine"}, {"id": 2}]
    result = module(4).parse_list(items, datetime.now(UTC))
    assert [event.message for event in result.events] == ["down"]
    assert result.ignored == {"fine": 1}
    assert [(item.index, item.error) for item in result.rejected] == [(2, "item 2 has no text")]
