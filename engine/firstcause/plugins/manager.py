"""The plugin manager: loads plugins, calls their hooks, and continues without those that fail."""

from __future__ import annotations

import logging
import threading
from dataclasses import fields, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import pluggy
from pydantic import BaseModel, InstanceOf, SecretStr, TypeAdapter, ValidationError

from firstcause import hookspecs
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
from firstcause.plugins.discovery import (
    Plugin,
    PluginState,
    ProblemKind,
    configure,
    discover,
    load_commands,
)
from firstcause.plugins.timeouts import CallThreads, CallTimeoutError, describe_error

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

_CONFIG_ARGUMENTS = {"config"}

_REPEATED_HOOKS = frozenset({"firstcause_enrich", "firstcause_facts"})
"""Hooks that are called again and again. What goes wrong in the others stays until a restart."""

_events_adapter: TypeAdapter[list[Event]] = TypeAdapter(list[Annotated[Event, InstanceOf()]])
_rejected_adapter: TypeAdapter[list[RejectedItem]] = TypeAdapter(list[RejectedItem])


class PluginManager:
    """Holds the plugins. Each hook is called separately, for a limited time, and its result is checked."""

    def __init__(self, plugins: Sequence[Plugin], timeout: float = HOOK_TIMEOUT_S) -> None:
        self._timeout = timeout
        self._plugins: dict[str, Plugin] = {}
        self._manager = pluggy.PluginManager(hookspecs.GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._threads = CallThreads()
        self._hanging_calls: dict[str, threading.Event] = {}
        for plugin in plugins:
            self._add_plugin(plugin)

    @classmethod
    def load(
        cls, settings: Mapping[str, Mapping[str, Any]], *, disabled: Collection[str] = ()
    ) -> PluginManager:
        """Load all installed plugins. settings: the [plugins] tables by name. disabled: names not to load."""
        return cls(discover(settings, disabled))

    @classmethod
    def load_commands(cls, entry_points: Iterable[EntryPoint]) -> PluginManager:
        """Load these plugins without their settings, for nothing but `commands`."""
        return cls(load_commands(entry_points))

    def register(self, module: object, name: str, table: Mapping[str, Any] | None = None) -> None:
        """Add a plugin without an entry point, as tests do."""
        plugin = Plugin(name, module=module)
        configure(plugin, table or {})
        self._add_plugin(plugin)

    def _add_plugin(self, plugin: Plugin) -> None:
        existing = self._plugins.setdefault(plugin.name, plugin)
        if existing is not plugin:
            existing.add_problem("another plugin of the same name is not loaded")
            return
        if plugin.module is None:
            return
        try:
            self._manager.register(plugin.module, plugin.name)
            self._manager.check_pending()
        except Exception as error:  # noqa: BLE001 - pluggy reads every attribute, and any of them may raise
            if self._manager.has_plugin(plugin.name):
                self._manager.unregister(name=plugin.name)
            plugin.module = None
            plugin.add_problem(f"its hooks do not match: {describe_error(error)}")

    def states(self) -> list[PluginState]:
        return [self._build_state(plugin) for plugin in self._plugins.values()]

    def _build_state(self, plugin: Plugin) -> PluginState:
        hooks: tuple[str, ...] = ()
        if plugin.module is not None:
            callers = self._manager.get_hookcallers(plugin.module) or []
            hooks = tuple(sorted(caller.name.removeprefix("firstcause_") for caller in callers))
        status = "disabled" if plugin.disabled else "loaded" if plugin.module is not None else "failed"
        module = getattr(plugin.module, "__name__", None)
        return PluginState(plugin.name, status, plugin.version, module, tuple(plugin.problems), hooks)

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
        return self._drop_duplicates(self._collect("firstcause_probes", Probe))

    def notifiers(self) -> list[Notifier]:
        return self._drop_duplicates(self._collect("firstcause_notifiers", Notifier))

    def remedies(self) -> list[Remedy]:
        return self._drop_duplicates(self._collect("firstcause_remedies", Remedy))

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
            replace(listener, run=partial(self._run_listener, plugin, listener))
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
            result = self._call_limited(plugin, f"reading {form.path}", partial(form.parse, body, headers))
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
        return [folder for _plugin, folder in self._collect("firstcause_rules", Path)]

    def commands(self, reserved: Collection[str] = ()) -> list[click.Command]:
        """List the plugins' commands. reserved: names of our own commands, which no plugin can use."""
        from click import Command  # noqa: PLC0415 - the daemon needs none

        entries = []
        for plugin, command in self._collect("firstcause_commands", Command):
            if command.name in reserved:
                plugin.add_problem(
                    f"the command {command.name!r} exists in firstcause; that of the plugin is left out"
                )
            else:
                entries.append((plugin, command))
        return self._drop_duplicates(entries)

    def facts(self, context: FactContext) -> list[Fact]:
        """Collect the plugins' facts for one evaluation."""
        facts: list[Fact] = []
        for index, (plugin, supplied_fact) in enumerate(
            self._collect("firstcause_facts", SuppliedFact, context=context)
        ):
            values = {name: value for name, value in supplied_fact.fields.items() if value is not None}
            facts.append({**values, "kind": supplied_fact.kind, "id": f"{plugin.name}:{index}"})
        return facts

    def enrich(self, events: Sequence[Event], catalogued: Sequence[bool]) -> list[Event]:
        """Return the events as the plugins enriched them. A plugin's time limit is for the whole batch."""
        current = list(events)
        if not current:
            return current
        for plugin, implementation in self._find_implementations("firstcause_enrich"):
            batch = list(zip(current, catalogued, strict=True))
            enriched: list[Event] = []
            enrich_batch = partial(_enrich_batch, plugin, implementation, batch, enriched)
            self._call_hook(plugin, "firstcause_enrich", enrich_batch)
            # A plugin that hangs halfway has enriched some events, and may still append to `enriched`.
            finished = list(enriched)
            current[: len(finished)] = finished
        return current

    def _collect(self, hook: str, kind: type[T], **arguments: object) -> list[tuple[Plugin, T]]:
        results: list[tuple[Plugin, T]] = []
        for plugin, implementation in self._find_implementations(hook):
            call_arguments = {**arguments, "config": plugin.config}
            returned = self._call_hook(
                plugin, hook, partial(_call_implementation, implementation, call_arguments)
            )
            if returned is None:
                continue
            if not isinstance(returned, list | tuple):
                problem = f"{hook} returned {type(returned).__name__}, not a list of {kind.__name__}"
                plugin.add_problem(problem, _get_problem_kind(hook))
                continue
            for value in returned:
                if not isinstance(value, kind):
                    problem = f"{hook} returned a {type(value).__name__} among its {kind.__name__}s"
                    plugin.add_problem(problem, _get_problem_kind(hook))
                    continue
                try:
                    results.append((plugin, _validate_fields(value, kind)))
                except ValidationError as error:
                    problem = f"{hook} returned a {kind.__name__} with wrong fields: {_format_errors(error)}"
                    plugin.add_problem(problem, _get_problem_kind(hook))
        return results

    def _find_implementations(self, hook: str) -> list[tuple[Plugin, pluggy.HookImpl]]:
        implementations = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            plugin = self._plugins[implementation.plugin_name]
            if plugin.configured or _CONFIG_ARGUMENTS.isdisjoint(implementation.argnames):
                implementations.append((plugin, implementation))
        return sorted(implementations, key=lambda pair: pair[0].name)

    def _call_hook(self, plugin: Plugin, hook: str, function: Callable[[], Any]) -> Any:
        """Return the result; None if the plugin failed, or an earlier call of it still hangs."""
        try:
            return self._call_limited(plugin, hook, function)
        except CallTimeoutError:
            return None
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            plugin.add_problem(f"{hook} raised {describe_error(error)}", _get_problem_kind(hook))
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
            return self._threads.call(run, self._timeout, f"{plugin.name}.{description}")
        except CallTimeoutError:
            self._hanging_calls[plugin.name] = is_finished
            plugin.add_problem(
                f"{description} did not return within {self._timeout:g} s; it is skipped while it hangs",
                _get_problem_kind(description),
            )
            raise

    def _drop_duplicates(self, entries: list[tuple[Plugin, Any]]) -> list[Any]:
        values_by_name: dict[str, Any] = {}
        for plugin, value in entries:
            if value.name in values_by_name:
                plugin.add_problem(
                    f"the name {value.name!r} is already used by another plugin; this one is left out"
                )
            else:
                values_by_name[value.name] = value
        return list(values_by_name.values())


def _get_problem_kind(call: str) -> ProblemKind:
    """Return how a problem in a hook ends, or in reading a body of a format."""
    is_single = call.startswith("firstcause_") and call not in _REPEATED_HOOKS
    return ProblemKind.LASTING if is_single else ProblemKind.CALL


def _call_implementation(implementation: pluggy.HookImpl, arguments: Mapping[str, object]) -> Any:
    return implementation.function(*(arguments[name] for name in implementation.argnames))


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


def _enrich_batch(
    plugin: Plugin, implementation: pluggy.HookImpl, batch: list[tuple[Event, bool]], enriched: list[Event]
) -> None:
    """Append each event to `enriched`. An event on which the plugin fails is appended unchanged."""
    for event, is_catalogued in batch:
        try:
            enrichment = _call_implementation(
                implementation, {"event": event, "context": EventContext(is_catalogued)}
            )
            enriched.append(_merge_enrichment(event, enrichment))
        except ValidationError as error:
            problem = f"firstcause_enrich returned an Enrichment with wrong fields: {_format_errors(error)}"
            plugin.add_problem(problem, ProblemKind.CALL)
            enriched.append(event)
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            plugin.add_problem(f"firstcause_enrich raised {describe_error(error)}", ProblemKind.CALL)
            enriched.append(event)


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
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _iter_secrets(item)
