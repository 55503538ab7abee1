"""Plugins as they are installed: real distribution folders on sys.path, found by their entry points."""

from __future__ import annotations

import importlib
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from firstcause.plugins import discovery
from firstcause.plugins.discovery import PluginState
from firstcause.plugins.manager import PluginManager

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
    return [Path("/somewhere")]
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
    assert state(host, "slow").problems == ("does not load: fctest_slow is not imported within 0.2 s",)
    assert "good" in names(host)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("@hookimpl\ndef firstcause_probes(config, extra): return []", "extra"),
        ("@hookimpl\ndef firstcause_prboes(config): return []", "firstcause_prboes"),
    ],
    ids=["wrong arguments", "unknown hook"],
)
def test_one_whose_hooks_do_not_fit_is_named_and_the_rest_go_on(install: Any, source: str, said: str) -> None:
    install("bad", f"from firstcause import hookimpl\n{source}")
    install("good", PROBES.format(name="good"))
    host = PluginManager.load({})
    bad = state(host, "bad")
    assert bad.status == "failed"
    assert bad.problems[0].startswith("its hooks do not match: ")
    assert said in bad.problems[0]
    assert "\n" not in bad.problems[0]
    assert "good" in names(host)


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


def test_two_distributions_with_one_name_lose_the_second_only(install: Any) -> None:
    install("twin", PROBES.format(name="one"), dist="twin-a")
    install("twin", PROBES.format(name="two"), dist="twin-b")
    host = PluginManager.load({})
    (twin,) = [each for each in host.states() if each.name == "twin"]
    assert twin.status == "loaded"
    assert any("has a plugin of the same name, which is not loaded" in each for each in twin.problems)
    assert len(names(host) & {"one", "two"}) == 1


def test_one_module_under_two_names_loads_once(install: Any) -> None:
    install(
        "first",
        PROBES.format(name="good"),
        entry_points="[firstcause]\nfirst = fctest_first\nlater = fctest_first\n",
    )
    host = PluginManager.load({})
    assert state(host, "first").status == "loaded"
    assert state(host, "later").status == "failed"
    assert state(host, "later").problems[0].startswith("its hooks do not match: ")
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
    assert [str(each) for each in host.rule_folders()] == ["/somewhere"]


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
            "its Config raised OSError for [plugins.odd]",
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
    assert state(host, "good").problems == ("takes no settings, so [plugins.good] has no effect; remove it",)


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


def test_states_come_in_the_order_of_names(install: Any) -> None:
    for name in ("zeta", "alpha", "mid"):
        install(name, PROBES.format(name=name))
    found = [each.name for each in PluginManager.load({"beta": {}}).states()]
    assert found == sorted(found)
    assert {"alpha", "beta", "mid", "zeta"} <= set(found)
