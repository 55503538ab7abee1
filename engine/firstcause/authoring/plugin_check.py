"""Calls each hook of a plugin as the host would, and says what is wrong with what comes back, and the fix.

Nothing is sent and nothing is changed: notifiers' `send` and remedies' `run` are not called.
"""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr

from firstcause.authoring import import_probe
from firstcause.core.model import Event
from firstcause.core.reading import Reading
from firstcause.errors import IntakeError, NotFoundError, RuleFileError
from firstcause.hookspecs.types import FactContext
from firstcause.plugins.discovery import find_table, import_module
from firstcause.plugins.entry_points import find_distributions, list_entry_points, read_metadata
from firstcause.plugins.manager import PluginManager
from firstcause.plugins.plugin import Plugin
from firstcause.plugins.timeouts import CallTimeoutError, call_with_timeout, describe_error
from firstcause.resources import shipped_path
from firstcause.rulefiles.load import load

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from importlib.metadata import EntryPoint

    from firstcause.core.catalog import Catalog
    from firstcause.hookspecs.types import IntakeFormat, Listener, Probe

_SLOW_IMPORT_S, _WAITING_IMPORT_S = 1.0, 5.0
_IMPORT_LIMIT_S = 60.0
_MAX_INTERVAL_S = 6 * 3600.0
_LISTENER_RUNS_S, _LISTENER_ENDS_S = 1.0, 5.0
_PLAN_LIMIT_S = 5.0
_SECRET_NAME = re.compile(r"(?:^|_)(?:password|passwd|token|secret|api_?key|auth_?key|credentials?)(?:$|_)")
_CODE_PATTERN = re.compile(r"[A-Z][A-Z0-9_]*")
_BODIES = (b"", b"{}", b"[]", b"\xff\xfe\x00", b'{"a": [1, {"b": null}]}', b"word")


class FindingLevel(StrEnum):
    """error: it does not work. warning: it works, and somebody will regret it."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. about: the hook, or the value that it returned. fix: what to do."""

    level: FindingLevel
    about: str
    text: str
    fix: str


@dataclass(frozen=True)
class CheckedPlugin:
    """A plugin that was checked. hooks: those that were called."""

    name: str
    hooks: tuple[str, ...]
    findings: tuple[Finding, ...]


def check_plugins(
    settings: Mapping[str, Mapping[str, Any]], name: str | None, reserved_commands: Collection[str] = ()
) -> list[CheckedPlugin]:
    """Check one plugin, or all that are not shipped. NotFoundError: no plugin has this name."""
    entry_points = _list_entry_points()
    if name is not None and name not in entry_points:
        msg = f"no plugin {name!r} is installed; there are {', '.join(sorted(entry_points))}"
        raise NotFoundError(msg)
    names = [name] if name is not None else [other for other, (_, own) in entry_points.items() if not own]
    return [
        _PluginCheck(entry_points[checked_name][0], settings, reserved_commands).run()
        for checked_name in names
    ]


def _list_entry_points() -> dict[str, tuple[EntryPoint, bool]]:
    """The installed plugins by name; the second value: whether it is shipped."""
    listed: dict[str, tuple[EntryPoint, bool]] = {}
    for distribution in find_distributions():
        own = read_metadata(distribution, "Name") == "firstcause"
        with suppress(Exception):
            for entry_point in list_entry_points(distribution):
                if own or entry_point.name not in listed:
                    listed[entry_point.name] = (entry_point, own)
    return listed


class _PluginCheck:
    """The check of one plugin, which collects what it finds."""

    def __init__(
        self, entry_point: EntryPoint, settings: Mapping[str, Mapping[str, Any]], reserved: Collection[str]
    ) -> None:
        self._entry_point = entry_point
        self._settings = settings
        self._reserved = reserved
        self._findings: list[Finding] = []

    def _add(self, about: str, text: str, fix: str, level: FindingLevel = FindingLevel.ERROR) -> None:
        finding = Finding(level, about, self._hide_secrets(text), fix)
        if finding not in self._findings:
            self._findings.append(finding)

    def run(self) -> CheckedPlugin:
        plugin = self._plugin = Plugin(self._entry_point.name)
        self._secrets: list[str] = []
        self._check_import()
        import_module(plugin, self._entry_point)
        table = find_table(self._settings, plugin.name)
        self._manager = PluginManager([plugin], settings={plugin.name: table})
        self._secrets = [secret for secret in self._manager.secrets() if secret]
        self._check_settings(plugin.config)
        if plugin.module is not None:
            self._check_hooks()
        for problem in plugin.problems:
            if problem.startswith("reading "):
                continue  # of a format, which is named already
            self._add(problem.split(maxsplit=1)[0], problem, _suggest_fix(problem))
        (state,) = self._manager.states()
        return CheckedPlugin(plugin.name, state.hooks, tuple(self._findings))

    def _check_hooks(self) -> None:
        catalog = self._check_rules()
        for probe in self._manager.probes():
            self._check_probe(probe, catalog)
        self._check_reprs(self._manager.notifiers())
        for remedy in self._manager.remedies():
            self._check_text(f"remedy {remedy.name}", "plan", inspect.unwrap(remedy.plan))
        for form in self._manager.formats():
            self._check_format(form)
        for listener in self._manager.listeners():
            self._check_listener(listener)
        for command in self._manager.commands(self._reserved):
            if not command.help:
                self._add(
                    f"command {command.name}", "it has no help", "Write a docstring.", FindingLevel.WARNING
                )
        self._check_events()

    def _check_import(self) -> None:
        module = self._entry_point.module
        try:
            process = subprocess.run(  # noqa: S603 - our own script, in our own Python
                [sys.executable, import_probe.__file__, module],
                capture_output=True,
                text=True,
                timeout=_IMPORT_LIMIT_S,
                check=False,
            )
            result = json.loads(process.stdout.splitlines()[-1])
        except subprocess.TimeoutExpired:
            self._add("import", f"{module} is not imported within {_IMPORT_LIMIT_S:g} s", _LATE_IMPORT)
            return
        except (ValueError, IndexError):
            self._add(
                "import",
                f"importing {module} ended the process with {process.returncode}",
                "Do not call os._exit, and do not import what crashes.",
            )
            return
        for asked in result["network"]:
            self._add("import", f"the import uses the network: {asked}", _LATE_IMPORT)
        if result["output"]:
            self._add("import", "the import prints", "Use logging.", FindingLevel.WARNING)
        if result["threads"]:
            self._add(
                "import",
                f"the import starts threads: {', '.join(result['threads'])}",
                "Start them in a listener's run.",
                FindingLevel.WARNING,
            )
        # By the processor's time, as the machine may be busy, unless it waits for something.
        is_slow = result["cpu_seconds"] > _SLOW_IMPORT_S or result["seconds"] > _WAITING_IMPORT_S
        if result["error"] is None and is_slow:
            self._add(
                "import", f"the import takes {result['seconds']:.1f} s", _LATE_IMPORT, FindingLevel.WARNING
            )

    def _check_settings(self, config: BaseModel | None) -> None:
        if config is None:
            return
        for name, value in _iter_fields(config):
            if isinstance(value, str) and _SECRET_NAME.search(name) and not name.endswith("_file"):
                self._add(
                    "settings",
                    f"{name} looks like a secret and is a plain text, so firstcause does not mask it",
                    f"Declare it as pydantic.SecretStr; then {name}_file works too.",
                )
        self._check_repr("settings", config)

    def _check_repr(self, about: str, value: object) -> None:
        try:
            shown = repr(value)
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            self._add(about, f"its repr raises {describe_error(error)}", "Correct its __repr__.")
            return
        if any(secret in shown for secret in self._secrets):
            self._add(
                about,
                "its repr shows a secret, which any log line or traceback may then hold",
                "Keep the SecretStr and call get_secret_value() where it is sent; no partial or dataclass "
                "with the plain text.",
            )

    def _check_reprs(self, values: Iterable[Any]) -> None:
        for value in values:
            send = inspect.unwrap(value.send)
            self._check_repr(f"notifier {value.name}", value)
            self._check_repr(f"notifier {value.name}", send)
            self._check_repr(f"notifier {value.name}", getattr(send, "__self__", None))

    def _hide_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _check_probe(self, probe: Probe, catalog: Catalog | None) -> None:
        about = f"probe {probe.name}"
        self._check_repr(about, probe)
        self._check_repr(about, inspect.unwrap(probe.check))
        if not _CODE_PATTERN.fullmatch(probe.code):
            self._add(about, f"its code {probe.code!r} is not a code", "Write it as in QUEUE_STUCK.")
        elif catalog is not None and probe.code not in catalog.entries:
            self._add(
                about,
                f"the catalog has no entry for its code {probe.code}, so incidents have no fix",
                "Ship one with firstcause_rules.",
                FindingLevel.WARNING,
            )
        if probe.interval > _MAX_INTERVAL_S:
            self._add(
                about,
                f"it runs every {probe.interval:g} s, which is {probe.interval / 3600:.0f} hours",
                "interval is in seconds, not milliseconds.",
            )
        if probe.timeout >= probe.interval:
            self._add(
                about,
                f"its timeout of {probe.timeout:g} s is not below its interval of {probe.interval:g} s",
                "Give it a shorter timeout, in seconds.",
                FindingLevel.WARNING,
            )
        try:
            reading: object = call_with_timeout(probe.check, probe.timeout, about)
        except CallTimeoutError:
            self._add(about, f"its check does not return within its timeout of {probe.timeout:g} s", _NO_HANG)
            return
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            self._add(
                about,
                f"its check raises {describe_error(error)}, which counts as DOWN",
                "If that is what it should say, return a Reading with a detail.",
                FindingLevel.WARNING,
            )
            return
        finally:
            if probe.close is not None:
                with suppress(Exception):
                    probe.close()
        if not isinstance(reading, Reading):
            self._add(about, f"its check returned {_name_type(reading)}", "Return a Reading.")
        else:
            self._check_repr(about, reading)

    def _check_text(self, about: str, what: str, function: Callable[[], object]) -> None:
        try:
            text = call_with_timeout(function, _PLAN_LIMIT_S, about)
        except CallTimeoutError:
            self._add(about, f"its {what} does not return within {_PLAN_LIMIT_S:g} s", _NO_HANG)
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            self._add(about, f"its {what} raises {describe_error(error)}", f"Let {what} return one line.")
        else:
            if not isinstance(text, str):
                self._add(about, f"its {what} returned {_name_type(text)}", f"Let {what} return one line.")

    def _check_format(self, form: IntakeFormat) -> None:
        for body in _BODIES:
            try:
                form.parse(body, {"content-type": "application/json", ":path": "/", ":query": ""})
            except IntakeError as error:
                if "the log of firstcause says why" in str(error):
                    self._add(
                        f"format {form.path}",
                        f"parse fails for the body {body!r}: {next(reversed(self._plugin.problems), error)}",
                        "Raise IntakeError with what is wrong; the sender gets its text.",
                    )

    def _check_listener(self, listener: Listener) -> None:
        about, stop, errors = f"listener {listener.name}", threading.Event(), list[BaseException]()

        def run() -> None:
            try:
                listener.run(lambda _events: None, stop)
            except BaseException as error:  # noqa: BLE001 - a stranger's code may raise anything
                errors.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(_LISTENER_RUNS_S)
        if not thread.is_alive():
            reason = f"raised {describe_error(errors[0])}" if errors else "returned"
            self._add(
                about,
                f"its run {reason} before it was asked to stop",
                "Listen until `stop` is set. If its port is used, stop the daemon for this check.",
            )
            return
        stop.set()
        thread.join(_LISTENER_ENDS_S)
        if thread.is_alive():
            self._add(
                about,
                f"its run does not return within {_LISTENER_ENDS_S:g} s after `stop` was set",
                "Look at `stop` every second: sock.settimeout(0.5), then `while not stop.is_set()`.",
            )

    def _check_rules(self) -> Catalog | None:
        shipped = shipped_path("rules")
        try:
            return load(
                [shipped, *self._manager.rule_folders()], open_kinds=self._manager.supplies_facts
            ).catalog
        except RuleFileError as error:
            for mistake in error.mistakes:
                self._add("firstcause_rules", str(mistake), "Correct the rule file; see docs/rules.md.")
            return None

    def _check_events(self) -> None:
        now = datetime.now(UTC)
        events = [
            Event(id="check-1", time=now, code="CHECK_ERROR", tenant="acme", service="shop"),
            Event(id="check-2", time=now, message="a message without a code"),
            Event(id="check-3", time=now, code="CHECK_ERROR", details={"deep": {"list": [1, None]}}),
        ]
        before = [event.model_dump_json() for event in events]
        self._manager.enrich(events, [True, False, False])
        if [event.model_dump_json() for event in events] != before:
            self._add("firstcause_enrich", "it changes the event that it gets", "Return an Enrichment.")
        for context in (
            FactContext(frozenset(), frozenset()),
            FactContext(frozenset({"A"}), frozenset({"acme"})),
        ):
            self._manager.facts(context)


_LATE_IMPORT = "Import and connect where it is used: every command that loads plugins waits for the import."
_NO_HANG = "Give what it waits for a time limit; firstcause.run_with_time_limit helps."


def _iter_fields(config: BaseModel, prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in config:
        if isinstance(value, BaseModel):
            yield from _iter_fields(value, f"{prefix}{name}.")
        elif not isinstance(value, SecretStr):
            yield f"{prefix}{name}", value


def _name_type(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _suggest_fix(problem: str) -> str:
    """What to do about a problem that the host has named, where the problem does not say so itself."""
    for words, fix in (
        ("not a list of", "Return a list, also of one."),
        ("among its", "Return nothing else in the list."),
        ("with wrong fields", "Correct the fields; their docstring has units and meaning."),
        (" raised ", "Catch what may fail there."),
        ("did not return within", _NO_HANG),
        ("Field required", "Write it into the plugin's table in config.toml, or give it a default."),
    ):
        if words in problem:
            return fix
    return "See docs/plugins.md."
