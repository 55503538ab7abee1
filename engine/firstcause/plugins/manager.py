"""The plugin manager: loads plugins, calls their hooks, and continues without those that fail."""

from __future__ import annotations

import logging
from dataclasses import fields, replace
from functools import cache, partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from firstcause.core.model import Event
from firstcause.core.selfcheck.state import PluginFailure
from firstcause.hookspecs.types import (
    Enrichment,
    EventContext,
    FactContext,
    IntakeFormat,
    Listener,
    Notifier,
    Probe,
    Remedy,
    SuppliedFact,
)
from firstcause.plugins.discovery import OWN_DISTRIBUTION, discover, find_table, load_commands
from firstcause.plugins.hook_table import HOOK_PREFIX, Hook, find_hooks
from firstcause.plugins.intake_formats import GuardedFormat
from firstcause.plugins.plugin import Plugin, PluginState, ProblemKind, count_calls
from firstcause.plugins.plugin_calls import HOOK_TIMEOUT_S, PluginCalls, get_problem_kind
from firstcause.plugins.plugin_settings import configure
from firstcause.plugins.result_guards import guard_notifier, guard_probe, guard_remedy
from firstcause.plugins.result_limits import (
    MAX_FACTS,
    MAX_FACTS_BYTES,
    MAX_HOOK_ITEMS,
    Budget,
    LimitExceededError,
    limit_enrichment,
    limit_fact,
)
from firstcause.plugins.timeouts import describe_error

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from importlib.metadata import EntryPoint

    import click

    from firstcause.core.model import Fact
    from firstcause.hookspecs.types import Submit
    from firstcause.plugins.plugin_calls import GivenUp

log = logging.getLogger("firstcause.host")

T = TypeVar("T")

COMMANDS_HOOK = "firstcause_commands"


class PluginManager:
    """Holds the plugins. Each hook is called separately, for a limited time, and its result is checked."""

    def __init__(
        self,
        plugins: Sequence[Plugin],
        timeout: float = HOOK_TIMEOUT_S,
        *,
        settings: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    ) -> None:
        self._calls = PluginCalls(timeout)
        self._plugins: dict[str, Plugin] = {}
        self._hooks: dict[str, list[Hook]] = {}
        self._rule_owners: dict[Path, Plugin] = {}
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
            (
                plugin,
                guard_probe(
                    plugin, replace(probe, check=count_calls(plugin, f"probe {probe.name}", probe.check))
                ),
            )
            for plugin, probe in self._collect("firstcause_probes", Probe)
        )

    def notifiers(self) -> list[Notifier]:
        return self._drop_duplicates(
            (
                plugin,
                guard_notifier(
                    plugin,
                    replace(notifier, send=count_calls(plugin, f"notifier {notifier.name}", notifier.send)),
                ),
            )
            for plugin, notifier in self._collect("firstcause_notifiers", Notifier)
        )

    def remedies(self) -> list[Remedy]:
        return self._drop_duplicates(
            (
                plugin,
                guard_remedy(
                    plugin, replace(remedy, run=count_calls(plugin, f"remedy {remedy.name}", remedy.run))
                ),
            )
            for plugin, remedy in self._collect("firstcause_remedies", Remedy)
        )

    def formats(self) -> list[IntakeFormat]:
        """List the intake formats. Each is called for a limited time and checked."""
        return [
            GuardedFormat(
                self._calls,
                plugin,
                replace(
                    intake_format,
                    parse=count_calls(plugin, f"format {intake_format.path}", intake_format.parse),
                ),
            ).build()
            for plugin, intake_format in self._collect("firstcause_intake", IntakeFormat)
        ]

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

    @property
    def supplies_facts(self) -> bool:
        """Whether a plugin has the hook for facts, even one whose settings are wrong for now."""
        return bool(self._hooks.get("firstcause_facts"))

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
            self._calls.call_hook(hook.plugin, hook.name, partial(_enrich_batch, hook, batch, enriched))
            # A plugin that hangs halfway has enriched some events, and may still append to `enriched`.
            finished = list(enriched)
            current[: len(finished)] = finished
        return current

    def _collect(self, hook_name: str, kind: type[T], **arguments: object) -> list[tuple[Plugin, T]]:
        results: list[tuple[Plugin, T]] = []
        for hook in self._find_hooks(hook_name):
            collect = partial(_collect_items, hook, arguments, kind)
            items = self._calls.call_hook(hook.plugin, hook_name, collect)
            results += [(hook.plugin, item) for item in items or ()]
        return results

    def _find_hooks(self, hook_name: str) -> list[Hook]:
        hooks = [
            hook
            for hook in self._hooks.get(hook_name, ())
            if hook.plugin.configured or "config" not in hook.arguments
        ]
        return sorted(hooks, key=lambda hook: (hook.plugin.order, hook.rank, hook.plugin.name))

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


def _count_calls_of(plugin: Plugin, kind: str, value: Any, function: str) -> Any:
    """Return the probe, notifier or remedy with this function counted."""
    return replace(value, **{function: count_calls(plugin, f"{kind} {value.name}", getattr(value, function))})


def _collect_items(hook: Hook, arguments: Mapping[str, object], kind: type[T], given_up: GivenUp) -> list[T]:
    """Call a hook, and keep the valid items of its list up to the limits. Runs in the plugin's thread."""

    def add_problem(text: str, about: str | None = None) -> None:
        # A call that nobody waits for any more has its problem already.
        if not given_up.is_set():
            problem = f"{hook.name} returned {text}"
            hook.plugin.add_problem(problem, get_problem_kind(hook.name), about=about)

    returned = count_calls(hook.plugin, hook.name, hook.call)(arguments)
    if returned is None:
        return []
    if not isinstance(returned, list | tuple):
        add_problem(f"{type(returned).__name__}, not a list of {kind.__name__}")
        return []
    max_items = MAX_FACTS if kind is SuppliedFact else MAX_HOOK_ITEMS
    budget = Budget(MAX_FACTS_BYTES, f"{MAX_FACTS_BYTES >> 20} MiB of facts")
    items: list[T] = []
    for value in islice(returned, max_items):
        try:
            items.append(_check_item(value, kind, budget))
        except LimitExceededError as error:
            add_problem(f"{error}; the rest is left out")
            return items
        except ValidationError as error:
            problem = f"a {kind.__name__} with wrong fields: {_format_errors(error)}"
            add_problem(problem, f"{hook.name} fields")
        except TypeError as error:
            add_problem(str(error))
    if len(returned) > max_items:
        add_problem(f"more than {max_items:,} {kind.__name__}s; the rest is left out")
    return items


def _check_item(value: object, kind: type[T], budget: Budget) -> T:
    """Return a copy of an item of a hook's list. TypeError, ValidationError, LimitExceededError."""
    if not isinstance(value, kind):
        raise TypeError(f"a {type(value).__name__} among its {kind.__name__}s")
    limited: Any = limit_fact(value, budget) if isinstance(value, SuppliedFact) else value
    checked: T = _validate_fields(limited, kind)
    return checked


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
    hook: Hook, batch: list[tuple[Event, bool]], enriched: list[Event], given_up: GivenUp
) -> None:
    """Append each event to `enriched`. An event on which the plugin fails is appended unchanged.

    given_up: ends it before the next event.
    """
    plugin, started = hook.plugin, hook.plugin.clock()
    for event, is_catalogued in batch:
        if given_up.is_set():
            return
        problem, about, result = None, "fields", event
        try:
            enrichment = hook.call({"event": event, "context": EventContext(is_catalogued)})
            result = _merge_enrichment(event, enrichment)
        except ValidationError as error:
            problem = f"returned an Enrichment with wrong fields: {_format_errors(error)}"
        except LimitExceededError as error:
            problem = f"returned {error}; the event stays as it was"
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            problem, about = f"raised {describe_error(error)}", "raised"
        if problem is not None:
            text = f"{hook.name} {problem}"
            plugin.add_problem(text, ProblemKind.CALL, about=f"{hook.name} {about}")
            plugin.count_call(hook.name, 0, text, calls=0)
        enriched.append(result)
    plugin.count_call(hook.name, plugin.clock() - started, calls=len(batch))


def _merge_enrichment(event: Event, enrichment: object) -> Event:
    if enrichment is None:
        return event
    if not isinstance(enrichment, Enrichment):
        raise TypeError(f"{type(enrichment).__name__} returned, not an Enrichment")
    validated: Enrichment = _validate_fields(limit_enrichment(enrichment), Enrichment)
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
