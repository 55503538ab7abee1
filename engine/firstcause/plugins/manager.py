"""The plugin manager: loads plugins, calls their hooks, and continues without those that fail."""

from __future__ import annotations

import logging
import threading
from dataclasses import fields, replace
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, InstanceOf, SecretStr, TypeAdapter, ValidationError

from firstcause.core.model import Event
from firstcause.core.selfcheck.state import PluginFailure
from firstcause.errors import IntakeError
from firstcause.hookspecs.types import (
    Enrichment,
    EventContext,
    FactContext,
    IntakeFormat,
    IntakeResponse,
    IntakeResult,
    Listener,
    Notifier,
    Probe,
    RejectedItem,
    Remedy,
    SuppliedFact,
)
from firstcause.plugins.discovery import OWN_DISTRIBUTION, discover, find_table, load_commands
from firstcause.plugins.hook_table import HOOK_PREFIX, Hook, find_hooks
from firstcause.plugins.plugin import Plugin, PluginState, ProblemKind, count_calls
from firstcause.plugins.plugin_settings import configure
from firstcause.plugins.timeouts import CallTimeoutError, call_with_timeout, describe_error

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from importlib.metadata import EntryPoint

    import click

    from firstcause.core.model import Fact
    from firstcause.hookspecs.types import Submit

log = logging.getLogger("firstcause.host")

T = TypeVar("T")

HOOK_TIMEOUT_S = 5.0
"""Seconds within which one plugin must return from one hook, also for a whole batch of events."""

COMMANDS_HOOK = "firstcause_commands"

_REPEATED_HOOKS = frozenset({"firstcause_enrich", "firstcause_facts"})
"""Hooks that are called again and again. What goes wrong in the others stays until a restart."""

_events_adapter: TypeAdapter[list[Event]] = TypeAdapter(list[Annotated[Event, InstanceOf()]])
_rejected_adapter: TypeAdapter[list[RejectedItem]] = TypeAdapter(list[RejectedItem])


class PluginManager:
    """Holds the plugins. Each hook is called separately, for a limited time, and its result is checked."""

    def __init__(
        self,
        plugins: Sequence[Plugin],
        timeout: float = HOOK_TIMEOUT_S,
        *,
        settings: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    ) -> None:
        self._timeout = timeout
        self._plugins: dict[str, Plugin] = {}
        self._hooks: dict[str, list[Hook]] = {}
        self._rule_owners: dict[Path, Plugin] = {}
        self._hanging_calls: dict[str, threading.Event] = {}
        for plugin in plugins:
            self._add_plugin(plugin, find_table(settings, plugin.name))

    @classmethod
    def load(
        cls, settings: Mapping[str, Mapping[str, Any]], *, disabled: Collection[str] = ()
    ) -> PluginManager:
        """Load all installed plugins. settings: the [plugins] tables by name. disabled: names not to load."""
        return cls(discover(settings, disabled), settings=settings)

    @classmethod
    def load_commands(
        cls,
        entry_points: Iterable[EntryPoint],
        read_settings: Callable[[], Mapping[str, Mapping[str, Any]]] = dict,
    ) -> PluginManager:
        """Load these plugins for nothing but `commands`.

        read_settings: returns the [plugins] tables. It is called only if a hook takes its settings.
        """
        manager = cls([])
        for plugin in load_commands(entry_points):
            manager._plugins[plugin.name] = plugin
            hooks = find_hooks(plugin, only=COMMANDS_HOOK) if plugin.module is not None else []
            if any("config" in hook.arguments for hook in hooks):
                configure(plugin, find_table(read_settings(), plugin.name), hooks)
            manager._add_hooks(hooks)
        return manager

    def register(self, module: object, name: str, table: Mapping[str, Any] | None = None) -> None:
        """Add a plugin without an entry point, as tests do."""
        self._add_plugin(Plugin(name, module=module), table or {})

    def _add_plugin(self, plugin: Plugin, table: Mapping[str, Any]) -> None:
        existing = self._plugins.setdefault(plugin.name, plugin)
        if existing is not plugin:
            existing.add_problem("another plugin of the same name is not loaded")
            return
        if plugin.module is None:
            return
        twin = next((other for other in self._plugins.values() if other.module is plugin.module), plugin)
        if twin is not plugin:
            plugin.module = None
            plugin.add_problem(f"not loaded: its module is already loaded as {twin.name}")
            return
        hooks = find_hooks(plugin)
        configure(plugin, table, hooks)
        if not hooks and not plugin.problems:
            plugin.add_problem(
                "it has no hooks: write functions such as firstcause_probes with @hookimpl above"
            )
        self._add_hooks(hooks)

    def _add_hooks(self, hooks: Sequence[Hook]) -> None:
        for hook in hooks:
            self._hooks.setdefault(hook.name, []).append(hook)

    def states(self) -> list[PluginState]:
        return [self._build_state(plugin) for plugin in list(self._plugins.values())]

    def _build_state(self, plugin: Plugin) -> PluginState:
        names = {hook.name for hooks in self._hooks.values() for hook in hooks if hook.plugin is plugin}
        status = "disabled" if plugin.disabled else "loaded" if plugin.module is not None else "failed"
        return PluginState(
            plugin.name,
            status,
            plugin.version,
            getattr(plugin.module, "__name__", None),
            tuple(plugin.problems),
            tuple(sorted(name.removeprefix(HOOK_PREFIX) for name in names)),
            dict(plugin.usage),
        )

    def list_failures(self) -> list[PluginFailure]:
        """List the problems of all plugins, but for those of listeners, whose state is known better."""
        return [
            PluginFailure(
                plugin.name, text, record.since, record.last_at, lasts=record.kind is ProblemKind.LASTING
            )
            for plugin in list(self._plugins.values())
            for text, record in list(plugin.problems.items())
            if record.kind is not ProblemKind.LISTENER
        ]

    def secrets(self) -> list[str]:
        """List the values of the plugins' settings that their models declare as SecretStr."""
        return [secret for plugin in self._plugins.values() for secret in _iter_secrets(plugin.config)]

    def probes(self) -> list[Probe]:
        return self._drop_duplicates(
            (plugin, replace(probe, check=count_calls(plugin, f"probe {probe.name}", probe.check)))
            for plugin, probe in self._collect("firstcause_probes", Probe)
        )

    def notifiers(self) -> list[Notifier]:
        return self._drop_duplicates(
            (plugin, replace(notifier, send=count_calls(plugin, f"notifier {notifier.name}", notifier.send)))
            for plugin, notifier in self._collect("firstcause_notifiers", Notifier)
        )

    def remedies(self) -> list[Remedy]:
        return self._drop_duplicates(
            (plugin, replace(remedy, run=count_calls(plugin, f"remedy {remedy.name}", remedy.run)))
            for plugin, remedy in self._collect("firstcause_remedies", Remedy)
        )

    def formats(self) -> list[IntakeFormat]:
        """List the intake formats. Each parses for a limited time, and raises IntakeError if it cannot."""
        return [
            replace(
                form,
                parse=partial(self._parse_body, plugin, form),
                answer=form.answer and partial(self._call_format_hook, plugin, form.answer, IntakeResponse),
                token=form.token and partial(self._call_format_hook, plugin, form.token, str),
            )
            for plugin, form in self._collect("firstcause_intake", IntakeFormat)
        ]

    def _call_format_hook(
        self, plugin: Plugin, function: Callable[..., Any], kind: type[T], *arguments: object
    ) -> T | None:
        """Call a function of a format; None if it raises, or returns a value of another type."""
        try:
            result = function(*arguments)
        except IntakeError:
            raise
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            problem = f"a format's {kind.__name__} failed: {describe_error(error)}"
            plugin.add_problem(problem, ProblemKind.CALL)
            return None
        if result is None or isinstance(result, kind):
            return result
        problem = f"a format gave a {type(result).__name__}, not a {kind.__name__}"
        plugin.add_problem(problem, ProblemKind.CALL)
        return None

    def listeners(self) -> list[Listener]:
        """List the listeners. The error that stops one becomes a problem of its plugin."""
        return [
            replace(
                listener,
                run=count_calls(
                    plugin, f"listener {listener.name}", partial(self._run_listener, plugin, listener)
                ),
            )
            for plugin, listener in self._collect("firstcause_listeners", Listener)
        ]

    def _run_listener(
        self, plugin: Plugin, listener: Listener, submit: Submit, stop: threading.Event
    ) -> None:
        try:
            listener.run(submit, stop)
        except BaseException as error:
            problem = f"{listener.name} stopped: {describe_error(error)}"
            plugin.add_problem(problem, ProblemKind.LISTENER)
            raise

    def _parse_body(
        self, plugin: Plugin, form: IntakeFormat, body: bytes, headers: Mapping[str, str]
    ) -> list[Event] | IntakeResult:
        try:
            parse = count_calls(plugin, f"format {form.path}", form.parse)
            result = self._call_limited(plugin, f"reading {form.path}", partial(parse, body, headers))
            if isinstance(result, IntakeResult):
                return replace(
                    result,
                    events=_events_adapter.validate_python(result.events),
                    rejected=_rejected_adapter.validate_python(result.rejected),
                )
            return _events_adapter.validate_python(result)
        except IntakeError:
            raise
        except CallTimeoutError:
            msg = f"Plugin {plugin.name} is still processing an earlier request; retry later."
            raise IntakeError(msg, 429, retry_after=self._timeout) from None
        except Exception as error:
            problem = f"reading {form.path} failed: {describe_error(error)}"
            plugin.add_problem(problem, ProblemKind.CALL)
            msg = f"plugin {plugin.name} cannot read the body; the log of firstcause says why"
            raise IntakeError(msg, 422) from error

    def rule_folders(self) -> list[Path]:
        """List the folders of rule files that exist. One that does not is a problem of its plugin."""
        folders = []
        for plugin, folder in self._collect("firstcause_rules", Path):
            if not folder.is_dir():
                plugin.add_problem(
                    f"firstcause_rules: no folder {folder}; is it part of the package, and is its path made "
                    "from __file__?"
                )
                continue
            self._rule_owners[folder] = plugin
            folders.append(folder)
        return folders

    def report_rule_mistakes(self, mistakes: Mapping[Path, str]) -> None:
        """Keep why the rule files of plugins are not used. mistakes: by folder; the others are in use."""
        for owner in self._rule_owners.values():
            owner.forget_problems(ProblemKind.RULES)
        for folder, text in mistakes.items():
            self._rule_owners[folder].add_problem(
                f"its rule files are not used: {text}", ProblemKind.RULES, about=f"rules {folder}"
            )

    def commands(self, reserved: Collection[str] = ()) -> list[click.Command]:
        """List the plugins' commands. reserved: names of our own commands, which no plugin can use."""
        from click import Command  # noqa: PLC0415 - the daemon needs none

        entries = []
        for plugin, command in self._collect(COMMANDS_HOOK, Command):
            if command.name in reserved:
                plugin.add_problem(
                    f"the command {command.name!r} exists in firstcause; that of the plugin is left out"
                )
            elif not command.name:
                plugin.add_problem('a command has no name and is left out; write @click.command("name")')
            else:
                entries.append((plugin, command))
        return self._drop_duplicates(entries)

    def facts(self, context: FactContext) -> list[Fact]:
        """Collect the plugins' facts for one evaluation. Of two with one id the first is used."""
        facts: dict[str, Fact] = {}
        for index, (plugin, supplied) in enumerate(
            self._collect("firstcause_facts", SuppliedFact, context=context)
        ):
            values = {name: value for name, value in supplied.fields.items() if value is not None}
            own_id = supplied.id or values.get("id")
            fact_id = f"{plugin.name}:{index}" if own_id is None else str(own_id)
            if fact_id in facts:
                plugin.add_problem(
                    f"firstcause_facts returned two facts with the id {fact_id!r}; the second is left out",
                    ProblemKind.CALL,
                    about="firstcause_facts ids",
                )
                continue
            facts[fact_id] = {**values, "kind": supplied.kind, "id": fact_id}
        return list(facts.values())

    def enrich(self, events: Sequence[Event], catalogued: Sequence[bool]) -> list[Event]:
        """Return the events as the plugins enriched them. A plugin's time limit is for the whole batch.

        The plugins are called in the order of `[plugins.NAME] order`, then tryfirst and trylast of their
        hooks, then their names; each gets the events as those before it left them.
        """
        current = list(events)
        if not current:
            return current
        for hook in self._find_hooks("firstcause_enrich"):
            batch = list(zip(current, catalogued, strict=True))
            enriched: list[Event] = []
            self._call_hook(hook.plugin, hook.name, partial(_enrich_batch, hook, batch, enriched))
            # A plugin that hangs halfway has enriched some events, and may still append to `enriched`.
            finished = list(enriched)
            current[: len(finished)] = finished
        return current

    def _collect(self, hook_name: str, kind: type[T], **arguments: object) -> list[tuple[Plugin, T]]:
        results: list[tuple[Plugin, T]] = []
        for hook in self._find_hooks(hook_name):
            call = partial(count_calls(hook.plugin, hook_name, hook.call), arguments)
            returned = self._call_hook(hook.plugin, hook_name, call)
            if returned is not None:
                results += [(hook.plugin, value) for value in _check_values(hook, returned, kind)]
        return results

    def _find_hooks(self, hook_name: str) -> list[Hook]:
        hooks = [
            hook
            for hook in self._hooks.get(hook_name, ())
            if hook.plugin.configured or "config" not in hook.arguments
        ]
        return sorted(hooks, key=lambda hook: (hook.plugin.order, hook.rank, hook.plugin.name))

    def _call_hook(self, plugin: Plugin, hook: str, function: Callable[[], Any]) -> Any:
        """Return the result; None if the plugin failed, or an earlier call of it still hangs."""
        try:
            return self._call_limited(plugin, hook, function)
        except CallTimeoutError:
            return None
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            plugin.add_problem(
                f"{hook} raised {describe_error(error)}", _get_problem_kind(hook), about=f"{hook} raised"
            )
        return None

    def _call_limited(self, plugin: Plugin, description: str, function: Callable[[], Any]) -> Any:
        """Return the result. CallTimeoutError: it took too long, or an earlier call still hangs."""
        hanging = self._hanging_calls.get(plugin.name)
        if hanging is not None and not hanging.is_set():
            msg = f"{plugin.name} still hangs"
            raise CallTimeoutError(msg)
        is_finished = threading.Event()

        def run() -> Any:
            try:
                return function()
            finally:
                is_finished.set()

        try:
            return call_with_timeout(run, self._timeout, f"{plugin.name}.{description}")
        except CallTimeoutError:
            self._hanging_calls[plugin.name] = is_finished
            plugin.add_problem(
                f"{description} did not return within {self._timeout:g} s; it is skipped while it hangs",
                _get_problem_kind(description),
            )
            raise

    def _drop_duplicates(self, entries: Iterable[tuple[Plugin, Any]]) -> list[Any]:
        """Of two values with one name keep the shipped one, else the first."""
        kept: dict[str, tuple[Plugin, Any]] = {}
        shipped_first = sorted(entries, key=lambda entry: entry[0].distribution != OWN_DISTRIBUTION)
        for plugin, value in shipped_first:
            owner, _ = kept.setdefault(value.name, (plugin, value))
            if kept[value.name][1] is not value:
                plugin.add_problem(
                    f"the name {value.name!r} is already used by the plugin {owner.name}; "
                    "this one is left out: give it another name"
                )
        return [value for _plugin, value in kept.values()]


def _get_problem_kind(call: str) -> ProblemKind:
    """Return how a problem in a hook ends, or in reading a body of a format."""
    is_single = call.startswith("firstcause_") and call not in _REPEATED_HOOKS
    return ProblemKind.LASTING if is_single else ProblemKind.CALL


def _check_values(hook: Hook, returned: object, kind: type[T]) -> Iterator[T]:
    """The values of a hook that are what they should be. What is wrong becomes a problem of the plugin."""
    problem_kind = _get_problem_kind(hook.name)
    if not isinstance(returned, list | tuple):
        problem = f"{hook.name} returned {type(returned).__name__}, not a list of {kind.__name__}"
        hook.plugin.add_problem(problem, problem_kind)
        return
    for value in returned:
        if not isinstance(value, kind):
            problem = f"{hook.name} returned a {type(value).__name__} among its {kind.__name__}s"
            hook.plugin.add_problem(problem, problem_kind)
            continue
        try:
            yield _validate_fields(value, kind)
        except ValidationError as error:
            problem = f"{hook.name} returned a {kind.__name__} with wrong fields: {_format_errors(error)}"
            hook.plugin.add_problem(problem, problem_kind, about=f"{hook.name} fields")


@cache
def _get_adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _validate_fields(value: Any, kind: Any) -> Any:
    """Return the value with its fields checked. ValidationError: a field has a wrong type."""
    if not hasattr(kind, "__dataclass_fields__"):
        return value  # such as a Path or a click.Command, which pydantic knows nothing of
    values = {field.name: getattr(value, field.name) for field in fields(kind)}
    return _get_adapter(kind).validate_python(values)


def _format_errors(error: ValidationError) -> str:
    details = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in details)


def _enrich_batch(hook: Hook, batch: list[tuple[Event, bool]], enriched: list[Event]) -> None:
    """Append each event to `enriched`. An event on which the plugin fails is appended unchanged."""
    plugin, started = hook.plugin, hook.plugin.clock()
    for event, is_catalogued in batch:
        try:
            enrichment = hook.call({"event": event, "context": EventContext(is_catalogued)})
            enriched.append(_merge_enrichment(event, enrichment))
        except ValidationError as error:
            problem = f"{hook.name} returned an Enrichment with wrong fields: {_format_errors(error)}"
            plugin.add_problem(problem, ProblemKind.CALL, about=f"{hook.name} fields")
            plugin.count_call(hook.name, 0, problem, calls=0)
            enriched.append(event)
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            problem = f"{hook.name} raised {describe_error(error)}"
            plugin.add_problem(problem, ProblemKind.CALL, about=f"{hook.name} raised")
            plugin.count_call(hook.name, 0, problem, calls=0)
            enriched.append(event)
    plugin.count_call(hook.name, plugin.clock() - started, calls=len(batch))


def _merge_enrichment(event: Event, enrichment: object) -> Event:
    if enrichment is None:
        return event
    if not isinstance(enrichment, Enrichment):
        raise TypeError(f"{type(enrichment).__name__} returned, not an Enrichment")
    validated: Enrichment = _validate_fields(enrichment, Enrichment)
    return Event.model_validate(
        {
            **dict(event),
            "tenant": validated.tenant or event.tenant,
            "service": validated.service or event.service,
            "details": {**event.details, **validated.details},
            "tags": {**event.tags, **validated.tags},
        }
    )


def _iter_secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for _name, field in value:
            yield from _iter_secrets(field)
    elif isinstance(value, dict | list | tuple | set | frozenset):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _iter_secrets(item)
