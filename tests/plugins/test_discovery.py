"""Plugins as they are installed: real distribution folders on sys.path, found by their entry points."""

from __future__ import annotations

import importlib
import sys
import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from firstcause import API_VERSION
from firstcause.core.model import Event
from firstcause.plugins import discovery
from firstcause.plugins.manager import PluginManager
from firstcause.plugins.plugin import PluginState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROBES = """
from firstcause import Probe, Reading, Status, hookimpl

@hookimpl
def firstcause_probes():
    return [Probe("{name}", "{name}", lambda: Reading(status=Status.UP), "{name}_DOWN")]
"""

WITH_CONFIG = """
from pydantic import BaseModel, SecretStr, field_validator
from firstcause import Probe, Reading, Status, hookimpl

class Config(BaseModel):
    auth_token: SecretStr
    attempts: int = 3

@hookimpl
def firstcause_probes(config):
    token = config.auth_token.get_secret_value()
    return [Probe("configured", "c", lambda: Reading(status=Status.UP, detail=token), "C_DOWN")]

@hookimpl
def firstcause_rules():
    from pathlib import Path
    return [Path(__file__).parent]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs a distribution whose one module stands behind one entry point of its name."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)

    def run(name: str, source: str, *, entry_points: str | None = None, dist: str | None = None) -> None:
        module = f"fctest_{(dist or name).replace('-', '_')}"
        (site / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = site / f"{module}-1.2.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {dist or f'fctest-{name}'}\nVersion: 1.2\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        points = entry_points if entry_points is not None else f"[firstcause]\n{name} = {module}\n"
        (info / "entry_points.txt").write_text(points, encoding="utf-8")
        importlib.invalidate_caches()

    yield run
    for name in set(sys.modules) - before:
        if name.startswith("fctest_"):
            del sys.modules[name]


def state(host: PluginManager, name: str) -> PluginState:
    return next(each for each in host.states() if each.name == name)


def names(host: PluginManager) -> set[str]:
    return {probe.name for probe in host.probes()}


def test_a_plugin_is_found_loaded_and_told_with_version_module_and_hooks(install: Any) -> None:
    install("good", PROBES.format(name="good"))
    host = PluginManager.load({})
    assert state(host, "good") == PluginState("good", "loaded", "1.2", "fctest_good", (), ("probes",))
    assert "good" in names(host)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("raise RuntimeError('no licence\\nfound')", "RuntimeError: no licence found"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("def broken(:", "SyntaxError"),
        (
            "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd",
            "does not load: Odd",
        ),
    ],
)
def test_one_that_raises_on_import_is_named_and_the_rest_go_on(install: Any, source: str, said: str) -> None:
    install("bad", source)
    install("good", PROBES.format(name="good"))
    host = PluginManager.load({})
    bad = state(host, "bad")
    assert (bad.status, bad.version, bad.module, bad.hooks) == ("failed", "1.2", None, ())
    assert len(bad.problems) == 1
    assert bad.problems[0].startswith("does not load: ")
    assert said in bad.problems[0]
    assert "good" in names(host)


def test_one_that_hangs_on_import_is_left_behind(install: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "LOAD_TIMEOUT_S", 0.2)
    install("slow", "import time\ntime.sleep(3)")
    install("good", PROBES.format(name="good"))
    host = PluginManager.load({})
    (problem,) = state(host, "slow").problems
    assert problem.startswith("does not load: fctest_slow is not imported within 0.2 s; let it import ")
    assert "good" in names(host)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "@hookimpl\ndef firstcause_enrich(event, extra): return None",
            (
                f"firstcause_enrich is not called, as it takes extra; API {API_VERSION} offers it "
                "event, context, config"
            ),
        ),
        (
            "@hookimpl\ndef firstcause_prboes(): return []",
            (
                f"firstcause_prboes is not called, as there is no such hook in API {API_VERSION}; "
                "did you mean firstcause_probes?"
            ),
        ),
        (
            "def firstcause_notifiers(): return []",
            "firstcause_notifiers is not called, as it is not marked: write @hookimpl above it",
        ),
        (
            "firstcause_facts = hookimpl(type('Odd', (), {})())",
            "firstcause_facts is not called, as it is a Odd, not a function",
        ),
    ],
    ids=["unknown argument", "unknown hook", "forgotten hookimpl", "no function"],
)
def test_a_hook_that_cannot_be_called_costs_that_hook_only(install: Any, source: str, said: str) -> None:
    install("mixed", PROBES.format(name="mixed") + f"\n{source}")
    install("good", PROBES.format(name="good"))
    host = PluginManager.load({})
    assert (state(host, "mixed").status, state(host, "mixed").hooks) == ("loaded", ("probes",))
    assert state(host, "mixed").problems == (said,)
    assert {"good", "mixed"} <= names(host)


def test_an_argument_with_a_default_of_its_own_is_left_alone(install: Any) -> None:
    install(
        "own", PROBES.format(name="own").replace("firstcause_probes()", "firstcause_probes(*, x=1, **more)")
    )
    host = PluginManager.load({})
    assert state(host, "own").problems == ()
    assert "own" in names(host)


@pytest.mark.parametrize(
    ("required", "said"),
    [
        ("1.0", None),
        (
            "1.99",
            "it is written for API 1.99, and this firstcause has {}; what fits is used. Update firstcause",
        ),
        (
            "0.9",
            "it is written for API 0.9, and this firstcause has {}; what fits is used. Update the plugin",
        ),
        ("new", "its REQUIRED_API is 'new', not a version such as \"{}\""),
    ],
)
def test_a_plugin_for_another_api_is_named_and_used(install: Any, required: str, said: str | None) -> None:
    install("dated", PROBES.format(name="dated") + f"\nREQUIRED_API = {required!r}")
    host = PluginManager.load({})
    assert state(host, "dated").problems == (() if said is None else (said.format(API_VERSION),))
    assert "dated" in names(host)


def test_a_library_that_is_missing_is_told_with_what_to_do(install: Any) -> None:
    install("needy", "import no_such_library_here")
    assert (
        state(PluginManager.load({}), "needy")
        .problems[0]
        .endswith("; install what has no_such_library_here where firstcause is installed")
    )


def test_one_whose_entry_points_file_is_broken_is_named_and_the_rest_go_on(install: Any) -> None:
    install("bad", "", entry_points="[firstcause]\nbad\n")
    install("good", PROBES.format(name="good"))
    host = PluginManager.load({})
    assert state(host, "fctest-bad").status == "failed"
    assert state(host, "fctest-bad").problems[0].startswith("its entry_points.txt cannot be read: ")
    assert "good" in names(host)


def test_a_strangers_broken_entry_points_are_none_of_ours(install: Any) -> None:
    install("bad", "", entry_points="[console_scripts]\nbad\n")
    install("good", PROBES.format(name="good"))
    assert "good" in names(PluginManager.load({}))


def test_a_distribution_folder_without_metadata_still_loads(install: Any, tmp_path: Path) -> None:
    install("good", PROBES.format(name="good"))
    (tmp_path / "site" / "fctest_good-1.2.dist-info" / "METADATA").unlink()
    host = PluginManager.load({})
    assert state(host, "good").status == "loaded"
    assert state(host, "good").version is None


def test_of_two_plugins_with_one_name_both_are_named(install: Any) -> None:
    install("twin", PROBES.format(name="one"), dist="twin-a")
    install("twin", PROBES.format(name="two"), dist="twin-b")
    host = PluginManager.load({})
    first, second = [each for each in host.states() if each.name.startswith("twin")]
    assert (first.name, first.status, first.problems) == ("twin", "loaded", ())
    assert (second.name, second.status) in {("twin (twin-a)", "failed"), ("twin (twin-b)", "failed")}
    assert "twin-a" in second.problems[0]
    assert "twin-b" in second.problems[0]
    assert len(names(host) & {"one", "two"}) == 1


def test_a_shipped_plugin_and_its_names_are_never_replaced(install: Any) -> None:
    install("host", PROBES.format(name="stranger"), dist="aaa-host")
    install(
        "aaa",
        "from firstcause import Notifier, hookimpl\n@hookimpl\ndef firstcause_notifiers():\n"
        "    return [Notifier('console', lambda notification: 'theirs')]",
    )
    host = PluginManager.load({})
    assert state(host, "host").module == "firstcause_host"
    assert state(host, "host (aaa-host)").problems[0] == (
        "not loaded: firstcause has a plugin of the same name, host, which is used; "
        "give the entry point of aaa-host another name, or uninstall one of the two"
    )
    assert [notifier.last_resort for notifier in host.notifiers() if notifier.name == "console"] == [True]
    assert (
        state(host, "aaa").problems[0].startswith("the name 'console' is already used by the plugin console")
    )


def test_one_module_under_two_names_loads_once(install: Any) -> None:
    install(
        "first",
        PROBES.format(name="good"),
        entry_points="[firstcause]\nfirst = fctest_first\nlater = fctest_first\n",
    )
    host = PluginManager.load({})
    assert state(host, "first").status == "loaded"
    assert state(host, "later").status == "failed"
    assert state(host, "later").problems == ("not loaded: its module is already loaded as first",)
    assert "good" in names(host)


def test_a_disabled_plugin_is_not_even_imported(install: Any) -> None:
    install("off", "raise RuntimeError('was imported')")
    host = PluginManager.load({"off": {"any": "thing"}}, disabled={"off"})
    assert state(host, "off") == PluginState("off", "disabled", "1.2")
    assert "fctest_off" not in sys.modules


def test_the_right_table_reaches_the_hooks(install: Any) -> None:
    install("configured", WITH_CONFIG)
    host = PluginManager.load({"configured": {"auth_token": "s3cret-value"}})
    assert state(host, "configured").problems == ()
    (probe,) = [each for each in host.probes() if each.name == "configured"]
    assert probe.check().detail == "s3cret-value"


def test_a_wrong_table_rests_the_hooks_that_need_it_and_tells_no_secret(install: Any) -> None:
    install("configured", WITH_CONFIG)
    install("good", PROBES.format(name="good"))
    host = PluginManager.load({"configured": {"auth_token": 424242424242, "attempts": "s3cret-value"}})
    bad = state(host, "configured")
    assert bad.status == "loaded"
    assert len(bad.problems) == 2
    assert bad.problems[0].startswith("[plugins.configured] auth_token: ")
    assert bad.problems[1].startswith("[plugins.configured] attempts: ")
    assert not any("s3cret" in each or "4242" in each for each in bad.problems)
    assert "configured" not in names(host)
    assert "good" in names(host)
    assert [each.name for each in host.rule_folders()] == ["site"]


def test_a_missing_key_is_named(install: Any) -> None:
    install("configured", WITH_CONFIG)
    assert state(PluginManager.load({}), "configured").problems == (
        "[plugins.configured] auth_token: Field required",
    )


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("Config = {'a': 1}", "its Config is not a pydantic model"),
        (
            (
                "from pydantic import BaseModel, model_validator\n"
                "class Config(BaseModel):\n"
                "    @model_validator(mode='before')\n"
                "    @classmethod\n"
                "    def odd(cls, given): raise OSError(str(given))"
            ),
            "its settings model raised OSError for [plugins.odd]",
        ),
    ],
)
def test_a_config_that_is_none_is_named(install: Any, config: str, said: str) -> None:
    install("odd", config)
    install("good", PROBES.format(name="good"))
    host = PluginManager.load({"odd": {"token": "s3cret-value"}})
    assert state(host, "odd").problems == (said,)
    assert "good" in names(host)


def test_a_table_nobody_reads_is_named(install: Any) -> None:
    install("good", PROBES.format(name="good"))
    host = PluginManager.load({"good": {"a": 1}})
    assert state(host, "good").problems == (
        "takes no settings, so [plugins.good] a has no effect; remove it",
    )


def test_a_table_for_no_plugin_names_the_nearest(install: Any) -> None:
    install("goodplugin", PROBES.format(name="good"))
    host = PluginManager.load({"godplugin": {}, "zzzzzz": {}})
    assert state(host, "godplugin").status == "failed"
    assert state(host, "godplugin").problems[0].endswith("did you mean [plugins.goodplugin]?")
    assert state(host, "zzzzzz").problems[0].endswith("install it, or remove the table")


RENAMED = """
from typing import ClassVar
from pydantic import BaseModel, ConfigDict

FORMER_NAMES = ("former", "older")

class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")
    renamed_keys: ClassVar[dict[str, str]] = {"least": "minimum"}
    minimum: int = 0

class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")
    items: dict[str, Item] = {}

from firstcause import hookimpl

@hookimpl
def firstcause_rules():
    return []
"""


def test_former_keys_and_names_of_a_plugin_name_the_new_ones(install: Any) -> None:
    install("current", RENAMED)
    host = PluginManager.load(
        {"current": {"items": {"a": {"least": 1}, "b": {"minimun": 1}}}, "older": {"x": 1}}
    )
    assert state(host, "current").problems == (
        "[plugins.current] items.a.least was renamed; write minimum",
        "[plugins.current] items.b.minimun is unknown; did you mean minimum?",
    )
    assert state(host, "older").problems == ("[plugins.older] was renamed; write [plugins.current]",)


SETTINGS = """
from __future__ import annotations
from pathlib import Path
from typing import TYPE_CHECKING
from pydantic import BaseModel, ConfigDict, SecretStr
from firstcause import Enrichment, hookimpl
if TYPE_CHECKING:
    from firstcause import Event

class QueueSettings(BaseModel):
    model_config = ConfigDict(extra="{extra}")
    hosts: list[str] = []
    limits: dict[str, int] = {{}}
    path: str = ""
    token: SecretStr | None = None

@hookimpl
def firstcause_enrich(event: Event, config: QueueSettings) -> Enrichment | None:
    limits = {{name: str(value) for name, value in config.limits.items()}}
    return Enrichment(tags={{"hosts": ",".join(config.hosts), **limits}})
"""


def tags_of(host: PluginManager) -> Any:
    event = Event(id="1", time=datetime(2026, 1, 1, tzinfo=UTC), message="m")
    return host.enrich([event], [False])[0].tags


def test_the_model_is_known_by_the_hooks_argument_and_lists_may_be_json(install: Any) -> None:
    install("my-queue", SETTINGS.format(extra="ignore"), dist="fctest-my-queue")
    host = PluginManager.load({"my_queue": {"hosts": '["a", "b"]', "limits": '{"x": 3}'}})
    assert state(host, "my-queue").problems == ()
    assert tags_of(host) == {"hosts": "a,b", "x": "3"}


@pytest.mark.parametrize("extra", ["ignore", "allow", "forbid"])
def test_an_unknown_key_is_refused_whatever_the_model_says(install: Any, extra: str) -> None:
    install("queue", SETTINGS.format(extra=extra))
    host = PluginManager.load({"queue": {"hots": ["a"]}})
    assert state(host, "queue").problems == ("[plugins.queue] hots is unknown; did you mean hosts?",)


def test_only_a_secret_comes_from_a_file(install: Any, tmp_path: Path) -> None:
    install("queue", SETTINGS.format(extra="ignore"))
    (tmp_path / "word").write_text("s3cret-word")
    host = PluginManager.load({"queue": {"token_file": str(tmp_path / "word")}})
    assert (state(host, "queue").problems, host.secrets()) == ((), ["s3cret-word"])
    host = PluginManager.load({"queue": {"path_file": str(tmp_path / "word")}})
    assert state(host, "queue").problems == (
        "[plugins.queue] path_file is unknown; only secrets come from files: write path",
    )
    host = PluginManager.load({"queue": {"token_file": str(tmp_path / "none")}})
    assert state(host, "queue").problems[0].endswith("cannot be read: No such file or directory")


def test_a_hook_that_takes_settings_of_no_known_model_is_named(install: Any) -> None:
    install("vague", PROBES.format(name="vague").replace("firstcause_probes()", "firstcause_probes(config)"))
    assert state(PluginManager.load({}), "vague").problems == (
        (
            "firstcause_probes takes config, and no settings model is known: "
            "name it Config, or write `config: MyModel`"
        ),
    )


@pytest.mark.parametrize("value", [False, "false", "0"])
def test_a_table_can_switch_its_plugin_off(install: Any, value: object) -> None:
    install("off", "raise RuntimeError('was imported')")
    assert state(PluginManager.load({"off": {"enabled": value, "any": 1}}), "off").status == "disabled"


def test_a_switch_that_says_neither_is_named(install: Any) -> None:
    install("good", PROBES.format(name="good"))
    host = PluginManager.load({"good": {"enabled": "maybe"}})
    assert state(host, "good").problems == (
        "[plugins.good] enabled is neither true nor false; the plugin is on",
    )
    assert "good" in names(host)


def test_states_come_in_the_order_of_names(install: Any) -> None:
    for name in ("zeta", "alpha", "mid"):
        install(name, PROBES.format(name=name))
    found = [each.name for each in PluginManager.load({"beta": {}}).states()]
    assert found == sorted(found)
    assert {"alpha", "beta", "mid", "zeta"} <= set(found)
