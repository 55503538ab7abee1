"""Holds the plugins: loads them, asks their hooks, and goes on without those that fail."""

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
from firstcause.errors import IntakeError
from firstcause.hookspecs.types import (
    Answer,
    Enrichment,
    EventContext,
    FactContext,
    IntakeFormat,
    Listener,
    Notifier,
    Probe,
    Remedy,
    SuppliedFact,
    Taken,
)
from firstcause.plugins.discovery import Plugin, PluginState, configure, discover
from firstcause.plugins.timeouts import OverdueError, call, described

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from firstcause.core.model import Fact
    from firstcause.hookspecs.types import Submit

log = logging.getLogger("firstcause.host")

T = TypeVar("T")

HOOK_TIMEOUT = 5.0
"""Seconds that one plugin has for one hook, for a whole batch of events too."""

_HANDED = {"config"}
_events: TypeAdapter[list[Event]] = TypeAdapter(list[Annotated[Event, InstanceOf()]])


class Host:
    """The plugins. Every question is put to each alone, for a limited time, and its answer is checked."""

    def __init__(self, plugins: Sequence[Plugin], timeout: float = HOOK_TIMEOUT) -> None:
        self._timeout = timeout
        self._plugins: dict[str, Plugin] = {}
        self._manager = pluggy.PluginManager(hookspecs.GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._hanging: dict[str, threading.Event] = {}
        for plugin in plugins:
            self._add(plugin)

    @classmethod
    def load(cls, settings: Mapping[str, Mapping[str, Any]], *, disabled: Collection[str] = ()) -> Host:
        """All installed plugins. settings: the [plugins] tables by name."""
        return cls(discover(settings, disabled))

    def register(self, module: object, name: str, table: Mapping[str, Any] | None = None) -> None:
        """Add a plugin that no entry point names, as tests do."""
        plugin = Plugin(name, module=module)
        configure(plugin, table or {})
        self._add(plugin)

    def _add(self, plugin: Plugin) -> None:
        taken = self._plugins.setdefault(plugin.name, plugin)
        if taken is not plugin:
            taken.problem("another plugin of the same name is left out")
            return
        if plugin.module is None:
            return
        try:
            self._manager.register(plugin.module, plugin.name)
            self._manager.check_pending()
        except Exception as error:  # noqa: BLE001 - pluggy reads every attribute, and a stranger's may raise
            if self._manager.has_plugin(plugin.name):
                self._manager.unregister(name=plugin.name)
            plugin.module = None
            plugin.problem(f"its hooks do not fit: {described(error)}")

    def states(self) -> list[PluginState]:
        return [self._state(plugin) for plugin in self._plugins.values()]

    def _state(self, plugin: Plugin) -> PluginState:
        hooks: tuple[str, ...] = ()
        if plugin.module is not None:
            callers = self._manager.get_hookcallers(plugin.module) or []
            hooks = tuple(sorted(caller.name.removeprefix("firstcause_") for caller in callers))
        status = "disabled" if plugin.disabled else "loaded" if plugin.module is not None else "failed"
        module = getattr(plugin.module, "__name__", None)
        return PluginState(plugin.name, status, plugin.version, module, tuple(plugin.problems), hooks)

    def secrets(self) -> list[str]:
        """The values of the plugins' settings that their models declare as secret."""
        return [secret for plugin in self._plugins.values() for secret in _secrets(plugin.config)]

    def probes(self) -> list[Probe]:
        return self._unique(self._listed("firstcause_probes", Probe))

    def notifiers(self) -> list[Notifier]:
        return self._unique(self._listed("firstcause_notifiers", Notifier))

    def remedies(self) -> list[Remedy]:
        return self._unique(self._listed("firstcause_remedies", Remedy))

    def formats(self) -> list[IntakeFormat]:
        """Each reads for a limited time, and raises IntakeError for whatever it cannot read."""
        return [
            replace(
                each,
                parse=partial(self._read, plugin, each),
                answer=each.answer and partial(self._aside, plugin, each.answer, Answer),
                token=each.token and partial(self._aside, plugin, each.token, str),
            )
            for plugin, each in self._listed("firstcause_intake", IntakeFormat)
        ]

    def _aside(self, plugin: Plugin, function: Callable[..., Any], kind: type[T], *given: object) -> T | None:
        """What a format's function says, None where it fails or says something else."""
        try:
            found = function(*given)
        except IntakeError:
            raise
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            plugin.problem(f"a format's {kind.__name__} failed: {described(error)}")
            return None
        if found is None or isinstance(found, kind):
            return found
        plugin.problem(f"a format gave a {type(found).__name__}, not a {kind.__name__}")
        return None

    def listeners(self) -> list[Listener]:
        """What stops one, or does not let it begin, is taken down as its plugin's problem."""
        return [
            replace(each, run=partial(self._listen, plugin, each))
            for plugin, each in self._listed("firstcause_listeners", Listener)
        ]

    def _listen(self, plugin: Plugin, each: Listener, submit: Submit, stop: threading.Event) -> None:
        try:
            each.run(submit, stop)
        except BaseException as error:
            plugin.problem(f"{each.name} stopped: {described(error)}")
            raise

    def _read(
        self, plugin: Plugin, form: IntakeFormat, body: bytes, headers: Mapping[str, str]
    ) -> list[Event] | Taken:
        try:
            given = self._limited(plugin, f"reading {form.path}", partial(form.parse, body, headers))
            if isinstance(given, Taken):
                return replace(given, events=_events.validate_python(given.events))
            return _events.validate_python(given)
        except IntakeError:
            raise
        except OverdueError:
            msg = f"the plugin {plugin.name} is not done with what it was given; try again later"
            raise IntakeError(msg, 429, retry_after=self._timeout) from None
        except Exception as error:
            plugin.problem(f"reading {form.path} failed: {described(error)}")
            msg = f"the plugin {plugin.name} cannot read this; the log says why"
            raise IntakeError(msg, 422) from error

    def rule_folders(self) -> list[Path]:
        return [each for _plugin, each in self._listed("firstcause_rules", Path)]

    def facts(self, context: FactContext) -> list[Fact]:
        """The plugins' facts for one evaluation."""
        found: list[Fact] = []
        for number, (plugin, each) in enumerate(
            self._listed("firstcause_facts", SuppliedFact, context=context)
        ):
            known = {name: value for name, value in each.fields.items() if value is not None}
            found.append({**known, "kind": each.kind, "id": f"{plugin.name}:{number}"})
        return found

    def enrich(self, events: Sequence[Event], catalogued: Sequence[bool]) -> list[Event]:
        """The events with what plugins know of them. Each plugin has its time for the whole batch."""
        current = list(events)
        if not current:
            return current
        for plugin, implementation in self._implementations("firstcause_enrich"):
            batch = list(zip(current, catalogued, strict=True))
            done: list[Event] = []
            enrich = partial(_enrich, plugin, implementation, batch, done)
            self._guarded(plugin, "firstcause_enrich", enrich)
            # A plugin that hangs in the middle has enriched those before, and may yet append to `done`.
            finished = list(done)
            current[: len(finished)] = finished
        return current

    def _listed(self, hook: str, kind: type[T], **asked: object) -> list[tuple[Plugin, T]]:
        found: list[tuple[Plugin, T]] = []
        for plugin, implementation in self._implementations(hook):
            given = {**asked, "config": plugin.config}
            answer = self._guarded(plugin, hook, partial(_ask, implementation, given))
            if answer is None:
                continue
            if not isinstance(answer, list | tuple):
                plugin.problem(f"{hook} returned {type(answer).__name__}, not a list of {kind.__name__}")
                continue
            for each in answer:
                if not isinstance(each, kind):
                    plugin.problem(f"{hook} returned a {type(each).__name__} among its {kind.__name__}s")
                    continue
                try:
                    found.append((plugin, _checked(each, kind)))
                except ValidationError as error:
                    plugin.problem(f"{hook} returned a {kind.__name__} with wrong fields: {_wrong(error)}")
        return found

    def _implementations(self, hook: str) -> list[tuple[Plugin, pluggy.HookImpl]]:
        found = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            plugin = self._plugins[implementation.plugin_name]
            if plugin.configured or _HANDED.isdisjoint(implementation.argnames):
                found.append((plugin, implementation))
        return sorted(found, key=lambda pair: pair[0].name)

    def _guarded(self, plugin: Plugin, hook: str, function: Callable[[], Any]) -> Any:
        """The answer, or None where the plugin failed or one of its calls still hangs."""
        try:
            return self._limited(plugin, hook, function)
        except OverdueError:
            return None
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            plugin.problem(f"{hook} raised {described(error)}")
        return None

    def _limited(self, plugin: Plugin, what: str, function: Callable[[], Any]) -> Any:
        """The answer. OverdueError where it does not come in time, and while an earlier call still hangs."""
        hanging = self._hanging.get(plugin.name)
        if hanging is not None and not hanging.is_set():
            msg = f"{plugin.name} still hangs"
            raise OverdueError(msg)
        finished = threading.Event()

        def run() -> Any:
            try:
                return function()
            finally:
                finished.set()

        try:
            return call(run, self._timeout, f"{plugin.name}.{what}")
        except OverdueError:
            self._hanging[plugin.name] = finished
            plugin.problem(f"{what} gave no answer within {self._timeout:g} s and is left out while it hangs")
            raise

    def _unique(self, found: list[tuple[Plugin, Any]]) -> list[Any]:
        taken: dict[str, Any] = {}
        for plugin, each in found:
            if each.name in taken:
                plugin.problem(f"the name {each.name!r} is taken by another plugin; this one is left out")
            else:
                taken[each.name] = each
        return list(taken.values())


def _ask(implementation: pluggy.HookImpl, given: Mapping[str, object]) -> Any:
    return implementation.function(*(given[name] for name in implementation.argnames))


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _checked(each: Any, kind: Any) -> Any:
    """The value with its fields checked. ValidationError where one is not of its type."""
    if kind is Path:
        return each
    given = {field.name: getattr(each, field.name) for field in fields(kind)}
    return _adapter(kind).validate_python(given)


def _wrong(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found)


def _enrich(
    plugin: Plugin, implementation: pluggy.HookImpl, batch: list[tuple[Event, bool]], done: list[Event]
) -> None:
    """Append each event, enriched where the plugin could. One it fails on costs the others nothing."""
    for event, known in batch:
        try:
            given = _ask(implementation, {"event": event, "context": EventContext(known)})
            done.append(_merged(event, given))
        except ValidationError as error:
            plugin.problem(f"firstcause_enrich returned an Enrichment with wrong fields: {_wrong(error)}")
            done.append(event)
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            plugin.problem(f"firstcause_enrich raised {described(error)}")
            done.append(event)


def _merged(event: Event, given: object) -> Event:
    if given is None:
        return event
    if not isinstance(given, Enrichment):
        raise TypeError(f"{type(given).__name__} returned, not an Enrichment")
    sound: Enrichment = _checked(given, Enrichment)
    return Event.model_validate(
        {
            **dict(event),
            "tenant": sound.tenant or event.tenant,
            "service": sound.service or event.service,
            "details": {**event.details, **sound.details},
            "tags": {**event.tags, **sound.tags},
        }
    )


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for _name, field in value:
            yield from _secrets(field)
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _secrets(item)
