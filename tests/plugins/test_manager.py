"""Every hook is asked for a limited time, and its answer is checked."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, SecretStr

from firstcause.core.model import Event, Status
from firstcause.core.reading import Reading
from firstcause.errors import IntakeError
from firstcause.hookspecs import hookimpl
from firstcause.hookspecs.types import (
    Enrichment,
    EventContext,
    FactContext,
    IntakeFormat,
    Notifier,
    Probe,
    Remedy,
    SuppliedFact,
)
from firstcause.plugins.manager import PluginManager
from firstcause.plugins.plugin import Plugin as HostedPlugin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTEXT = FactContext(frozenset({"A"}), frozenset({"acme"}))


def up() -> Reading:
    return Reading(status=Status.UP)


def probe(name: str, **fields: Any) -> Probe:
    return Probe(name=name, component="c", check=up, code="C_DOWN", **fields)


def notifier(name: str, **fields: Any) -> Notifier:
    return Notifier(name=name, send=lambda _notification: None, **fields)


def event(**fields: Any) -> Event:
    return Event.model_validate({"id": "1", "time": datetime(2026, 1, 1, tzinfo=UTC), **fields})


class Plugin:
    """A plugin with these hooks, named without their prefix."""

    def __init__(self, hooks: dict[str, Callable[..., Any]]) -> None:
        for name, function in hooks.items():
            setattr(self, f"firstcause_{name}", hookimpl(function))


def plugin(**hooks: Callable[..., Any]) -> Plugin:
    return Plugin(hooks)


def with_one(hook: str, answer: Callable[[], Any]) -> Plugin:
    """A plugin whose one hook answers with that, whatever it is asked."""
    asking: dict[str, Callable[..., Any]] = {
        "enrich": lambda event, context: answer(),
        "facts": lambda context: answer(),
    }
    return Plugin({hook: asking.get(hook, answer)})


def host_of(timeout: float | None = None, **plugins: Plugin) -> PluginManager:
    host = PluginManager([]) if timeout is None else PluginManager([], timeout)
    for name, module in plugins.items():
        host.register(module, name)
    return host


def problems(host: PluginManager, name: str) -> tuple[str, ...]:
    return next(state.problems for state in host.states() if state.name == name)


def raises(*_args: object) -> Any:
    raise ValueError("it broke\nbadly")


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Lets go whatever hangs, at the latest when the test is over."""
    event = threading.Event()
    yield event
    event.set()


GOOD: dict[str, Any] = {
    "probes": lambda: [probe("p")],
    "notifiers": lambda: [notifier("n")],
    "remedies": lambda: [Remedy("r", "c", lambda: "plan", lambda: "done")],
    "intake": lambda: [IntakeFormat("path", lambda _body, _headers: [])],
    "rules": lambda: [Path(__file__).parent],
    "facts": lambda context: [SuppliedFact("k", {"codes": len(context.codes)})],
    "enrich": lambda event, context: Enrichment(tags={"good": "yes"}),
}


def everything(host: PluginManager) -> dict[str, Any]:
    return {
        "probes": [each.name for each in host.probes()],
        "notifiers": [each.name for each in host.notifiers()],
        "remedies": [each.name for each in host.remedies()],
        "intake": [each.path for each in host.formats()],
        "rules": host.rule_folders(),
        "facts": host.facts(CONTEXT),
        "enrich": [each.tags for each in host.enrich([event()], [True])],
    }


WHOLE: dict[str, Any] = {
    "probes": ["p"],
    "notifiers": ["n"],
    "remedies": ["r"],
    "intake": ["path"],
    "rules": [Path(__file__).parent],
    "facts": [{"kind": "k", "id": "good:0", "codes": 1}],
    "enrich": [{"good": "yes"}],
}


def test_every_hook_is_asked() -> None:
    host = host_of(good=plugin(**GOOD))
    assert everything(host) == WHOLE
    assert problems(host, "good") == ()
    assert [state.hooks for state in host.states()] == [tuple(sorted(GOOD))]


@pytest.mark.parametrize("hook", GOOD)
@pytest.mark.parametrize("first", [True, False])
def test_a_hook_that_raises_is_named_and_the_rest_go_on(hook: str, first: bool) -> None:
    name = "a_bad" if first else "z_bad"
    host = host_of(good=plugin(**GOOD))
    host.register(with_one(hook, raises), name)
    assert everything(host) == WHOLE
    assert problems(host, name) == (f"firstcause_{hook} raised ValueError: it broke badly",)
    assert problems(host, "good") == ()


@pytest.mark.parametrize("hook", GOOD)
def test_a_hook_that_exits_is_one_that_raises(hook: str) -> None:
    def leave() -> Any:
        raise SystemExit(4)

    host = host_of(bad=with_one(hook, leave), good=plugin(**GOOD))
    assert everything(host) == WHOLE
    assert "SystemExit: 4" in problems(host, "bad")[0]


@pytest.mark.parametrize("hook", GOOD)
@pytest.mark.parametrize("nonsense", [7, "text", {"a": 1}, object()], ids=["int", "str", "dict", "object"])
def test_nonsense_for_an_answer_is_named_and_the_rest_go_on(hook: str, nonsense: object) -> None:
    host = host_of(bad=with_one(hook, lambda: nonsense), good=plugin(**GOOD))
    assert everything(host) == WHOLE
    (problem,) = problems(host, "bad")
    assert problem.startswith(f"firstcause_{hook} ")
    assert type(nonsense).__name__ in problem


@pytest.mark.parametrize("hook", sorted(set(GOOD) - {"enrich"}))
def test_nonsense_in_a_list_is_named_and_its_neighbours_stay(hook: str) -> None:
    def mixed() -> list[object]:
        return [None, *(GOOD[hook](CONTEXT) if hook == "facts" else GOOD[hook]()), 3]

    host = host_of(good=plugin(**GOOD), mixed=with_one(hook, mixed))
    found = everything(host)
    assert len(problems(host, "mixed")) == (2 if hook in ("facts", "intake", "rules") else 3)
    assert any("returned a NoneType among" in each for each in problems(host, "mixed"))
    assert any("returned a int among" in each for each in problems(host, "mixed"))
    if hook in ("facts", "intake", "rules"):  # these have no names that could be taken
        assert len(found.pop(hook)) == 2
    assert found == {each: WHOLE[each] for each in found}


@pytest.mark.parametrize(
    ("hook", "wrong", "field"),
    [
        ("probes", probe("p", timeout="soon"), "timeout"),
        ("probes", Probe(["p"], "c", up, "X"), "name"),  # type: ignore[arg-type]
        ("probes", Probe("p", "c", "no function", "X"), "check"),  # type: ignore[arg-type]
        ("notifiers", notifier("n", depends_on=7), "depends_on"),
        ("remedies", Remedy("r", "c", "no function", lambda: ""), "plan"),  # type: ignore[arg-type]
        ("intake", IntakeFormat(None, lambda _body, _headers: []), "path"),  # type: ignore[arg-type]
        ("facts", SuppliedFact("k", ["no", "mapping"]), "fields"),  # type: ignore[arg-type]
        ("facts", SuppliedFact(3, {}), "kind"),  # type: ignore[arg-type]
        ("facts", SuppliedFact("k", {"deep": {"a": 1}}), "fields.deep"),  # type: ignore[dict-item]
    ],
)
def test_a_value_with_wrong_fields_is_named_and_left_out(hook: str, wrong: object, field: str) -> None:
    host = host_of(bad=with_one(hook, lambda: [wrong]), good=plugin(**GOOD))
    assert everything(host) == WHOLE
    (problem,) = problems(host, "bad")
    assert f"with wrong fields: {field}" in problem


def test_a_list_where_a_set_is_meant_will_do() -> None:
    host = host_of(one=plugin(notifiers=lambda: [notifier("n", depends_on=["network"])]))
    assert host.notifiers()[0].depends_on == frozenset({"network"})


def test_one_that_hangs_costs_its_time_once_and_is_asked_again_when_it_is_back(
    release: threading.Event,
) -> None:
    asked: list[int] = []

    def hang() -> list[Probe]:
        asked.append(1)
        release.wait(20)
        return [probe("late")]

    host = host_of(0.2, bad=plugin(probes=hang), good=plugin(**GOOD))
    assert [each.name for each in host.probes()] == ["p"]
    started = time.monotonic()
    assert [each.name for each in host.probes()] == ["p"]
    assert time.monotonic() - started < 0.2, "the hanging plugin was waited for again"
    assert len(asked) == 1
    assert problems(host, "bad") == (
        "firstcause_probes did not return within 0.2 s; it is skipped while it hangs",
    )
    release.set()
    until = time.monotonic() + 5
    while len(host.probes()) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert sorted(each.name for each in host.probes()) == ["late", "p"]


def test_a_format_that_hangs_takes_one_thread_however_many_send(release: threading.Event) -> None:
    asked: list[bytes] = []

    def hang(body: bytes, _headers: object) -> list[Event]:
        asked.append(body)
        release.wait(20)
        return []

    (form,) = host_of(0.1, bad=plugin(intake=lambda: [IntakeFormat("slow", hang)])).formats()
    for body in (b"1", b"2", b"3"):
        with pytest.raises(IntakeError, match="Plugin bad is still processing") as refused:
            form.parse(body, {})
        assert refused.value.status == 429
    assert asked == [b"1"]
    release.set()
    until = time.monotonic() + 5
    while len(asked) < 2 and time.monotonic() < until:
        with suppress(IntakeError):
            assert form.parse(b"4", {}) == []
    assert asked == [b"1", b"4"]


def test_a_timeout_of_its_own_is_no_hanging() -> None:
    def out() -> list[Probe]:
        raise TimeoutError("the server was slow")

    host = host_of(bad=plugin(probes=out))
    host.probes()
    assert problems(host, "bad") == ("firstcause_probes raised TimeoutError: the server was slow",)


def test_two_calls_at_once_are_no_hanging() -> None:
    both = threading.Barrier(2, timeout=5)

    def meet() -> list[Probe]:
        both.wait()
        return [probe("p")]

    host = host_of(one=plugin(probes=meet))
    found: list[list[Probe]] = []
    threads = [threading.Thread(target=lambda: found.append(host.probes())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [len(each) for each in found] == [1, 1]
    assert problems(host, "one") == ()


def test_the_same_problem_is_said_once_and_different_ones_do_not_pile_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    count = iter(range(1000))

    def differently() -> Any:
        raise ValueError(next(count))

    host = host_of(same=with_one("probes", raises), different=plugin(notifiers=differently))
    for _ in range(50):
        host.probes()
        host.notifiers()
    assert len(problems(host, "same")) == 1
    assert len([each for each in caplog.messages if each.startswith("plugin same")]) == 1
    assert len(problems(host, "different")) == 20
    assert problems(host, "different")[-1].endswith("ValueError: 49")


def test_an_exception_that_cannot_even_be_printed_is_named() -> None:
    class OddError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def odd() -> Any:
        raise OddError

    host = host_of(bad=plugin(probes=odd), good=plugin(**GOOD))
    assert [each.name for each in host.probes()] == ["p"]
    assert problems(host, "bad") == ("firstcause_probes raised OddError",)


@pytest.mark.parametrize("hook", ["probes", "notifiers", "remedies"])
def test_a_name_taken_twice_goes_to_the_first_plugin(hook: str) -> None:
    host = host_of(b=plugin(**{hook: GOOD[hook]}), a=plugin(**{hook: GOOD[hook]}))
    name = WHOLE[hook][0]
    assert everything(host)[hook] == [name]
    assert problems(host, "a") == ()
    assert problems(host, "b") == (
        f"the name {name!r} is already used by the plugin a; this one is left out: give it another name",
    )


def test_a_plugin_name_taken_twice_keeps_the_first() -> None:
    host = host_of(one=plugin(probes=lambda: [probe("first")]))
    host.register(plugin(probes=lambda: [probe("second")]), "one")
    assert [each.name for each in host.probes()] == ["first"]
    assert [(state.name, state.status) for state in host.states()] == [("one", "loaded")]
    assert problems(host, "one") == ("another plugin of the same name is not loaded",)


def test_a_hook_gets_its_own_config_only() -> None:
    class Config(BaseModel):
        name: str

    def probes(config: Config) -> list[Probe]:
        return [probe(config.name)]

    host = PluginManager([])
    for name in ("one", "two"):
        module = plugin(probes=probes)
        module.Config = Config  # type: ignore[attr-defined]
        host.register(module, name, {"name": f"probe of {name}"})
    assert [each.name for each in host.probes()] == ["probe of one", "probe of two"]


def test_secrets_are_the_settings_declared_so_however_deep() -> None:
    class Target(BaseModel):
        url: str
        key: SecretStr | None = None

    class Config(BaseModel):
        auth_token: SecretStr
        targets: list[Target] = []
        by_name: dict[str, Target] = {}

    module = plugin(rules=lambda: [Path(__file__).parent])
    module.Config = Config  # type: ignore[attr-defined]
    host = PluginManager([])
    table = {
        "auth_token": "top-secret",
        "targets": [{"url": "a", "key": "in-a-list"}, {"url": "b"}],
        "by_name": {"c": {"url": "c", "key": "in-a-table"}},
    }
    host.register(module, "one", table)
    host.register(plugin(rules=lambda: [Path(__file__).parent]), "without")
    assert sorted(host.secrets()) == ["in-a-list", "in-a-table", "top-secret"]


# enrich


def test_enrichments_merge_and_the_later_plugin_sees_the_earlier_ones_work() -> None:
    def first(event: Event) -> Enrichment:
        return Enrichment(tenant="acme", details={"a": 1, "both": 1}, tags={"t": "1"})

    def second(event: Event, context: EventContext) -> Enrichment:
        return Enrichment(
            service=f"{event.tenant}-api", details={"both": 2, "known": context.catalogued}, tags={"u": "2"}
        )

    host = host_of(b=plugin(enrich=second), a=plugin(enrich=first))
    given = event(message="m", details={"own": 0}, tags={"s": "0"}, service="web")
    (found,) = host.enrich([given], [True])
    assert (found.tenant, found.service, found.message) == ("acme", "acme-api", "m")
    assert found.details == {"own": 0, "a": 1, "both": 2, "known": True}
    assert found.tags == {"s": "0", "t": "1", "u": "2"}
    assert given == event(message="m", details={"own": 0}, tags={"s": "0"}, service="web")


def test_nothing_to_say_leaves_an_event_as_it_was() -> None:
    host = host_of(a=plugin(enrich=lambda event: None), b=plugin(enrich=lambda event: Enrichment()))
    given = event(tenant="acme", service="web")
    (found,) = host.enrich([given], [False])
    assert found == given
    assert host.enrich([], []) == []


def test_one_event_it_fails_on_costs_the_others_nothing() -> None:
    def picky(event: Event) -> Enrichment:
        if event.id == "1":
            raises()
        return Enrichment(tenant="acme")

    host = host_of(one=plugin(enrich=picky))
    found = host.enrich([event(id=str(number)) for number in range(3)], [True] * 3)
    assert [each.tenant for each in found] == ["acme", None, "acme"]
    assert problems(host, "one") == ("firstcause_enrich raised ValueError: it broke badly",)


def test_one_that_hangs_in_the_middle_keeps_what_it_had(release: threading.Event) -> None:
    def slow(event: Event) -> Enrichment:
        if event.id == "2":
            release.wait(20)
        return Enrichment(tenant="acme")

    host = host_of(0.3, a_slow=plugin(enrich=slow), good=plugin(**GOOD))
    found = host.enrich([event(id=str(number)) for number in range(4)], [True] * 4)
    assert [each.tenant for each in found] == ["acme", "acme", None, None]
    assert [each.tags for each in found] == [{"good": "yes"}] * 4
    release.set()
    time.sleep(0.05)
    assert [each.tenant for each in found] == ["acme", "acme", None, None]


@pytest.mark.parametrize(
    "wrong",
    [
        Enrichment(tenant=7),  # type: ignore[arg-type]
        Enrichment(tenant="x" * 201),
        Enrichment(details=[1]),  # type: ignore[arg-type]
        Enrichment(tags={"a": 1}),  # type: ignore[dict-item]
    ],
)
def test_an_enrichment_with_wrong_fields_is_named_and_the_event_stays(wrong: Enrichment) -> None:
    host = host_of(bad=plugin(enrich=lambda event: wrong), good=plugin(**GOOD))
    assert [each.tags for each in host.enrich([event()], [True])] == [{"good": "yes"}]
    assert "wrong fields" in problems(host, "bad")[0]


# facts


def test_facts_have_ids_of_their_plugin_and_cannot_take_anothers() -> None:
    def facts(context: FactContext) -> list[SuppliedFact]:
        assert context == CONTEXT
        return [
            SuppliedFact("load", {"value": 0.5, "high": False, "unknown": None, "kind": "y"}),
            SuppliedFact("load", {"value": 1}),
        ]

    host = host_of(one=plugin(facts=facts), two=plugin(facts=lambda: [SuppliedFact("k", {})]))
    assert host.facts(CONTEXT)[:2] == [
        {"kind": "load", "id": "one:0", "value": 0.5, "high": False},
        {"kind": "load", "id": "one:1", "value": 1},
    ]
    assert len({fact["id"] for fact in host.facts(CONTEXT)}) == 3


def test_the_id_that_a_plugin_gives_its_fact_is_kept_and_a_second_one_is_named() -> None:
    def facts() -> list[SuppliedFact]:
        return [
            SuppliedFact("queue", {"waiting": 1}, id="mails"),
            SuppliedFact("queue", {"waiting": 2, "id": "bills"}),
            SuppliedFact("queue", {"waiting": 3}, id="mails"),
        ]

    host = host_of(one=plugin(facts=facts))
    assert [(fact["id"], fact["waiting"]) for fact in host.facts(CONTEXT)] == [("mails", 1), ("bills", 2)]
    assert problems(host, "one") == (
        "firstcause_facts returned two facts with the id 'mails'; the second is left out",
    )


# order, counts, log


@pytest.mark.parametrize(
    ("orders", "options", "expected"),
    [
        ({}, {}, "abc"),
        ({"c": -1, "a": 5}, {}, "cba"),
        ({}, {"c": {"tryfirst": True}, "a": {"trylast": True}}, "cba"),
        ({"b": -1}, {"c": {"tryfirst": True}}, "bca"),
    ],
)
def test_enrichments_come_in_the_order_that_settings_and_hooks_ask_for(
    orders: dict[str, int], options: dict[str, dict[str, bool]], expected: str
) -> None:
    host = PluginManager([])
    for name in "abc":
        module = Plugin({})

        def enrich(event: Event, name: str = name) -> Enrichment:
            return Enrichment(details={"seen": f"{event.details.get('seen', '')}{name}"})

        module.firstcause_enrich = hookimpl(**options.get(name, {}))(enrich)  # type: ignore[attr-defined]
        host.register(module, name, {"order": orders[name]} if name in orders else {})
    assert host.enrich([event()], [True])[0].details["seen"] == expected


def test_what_calls_cost_is_counted_with_the_last_error() -> None:
    def picky(event: Event) -> None:
        if event.id == "2":
            raises()

    host = host_of(one=plugin(enrich=picky, probes=lambda: [probe("p")], notifiers=lambda: [notifier("n")]))
    host.enrich([event(id=str(number)) for number in range(5)], [True] * 5)
    host.probes()[0].check()
    with suppress(ValueError):
        replace(host.notifiers()[0]).send(None)  # type: ignore[arg-type]
    usage = host.states()[0].usage
    counts = {what: (counts.calls, counts.failures) for what, counts in usage.items()}
    assert counts == {
        "firstcause_enrich": (5, 1),
        "firstcause_probes": (1, 0),
        "probe p": (1, 0),
        "firstcause_notifiers": (1, 0),
        "notifier n": (1, 0),
    }
    assert usage["firstcause_enrich"].last_error == "firstcause_enrich raised ValueError: it broke badly"


def test_one_that_raises_for_each_event_logs_once_a_minute_with_a_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(event: Event) -> None:
        raise ValueError(event.id)

    now = [0.0]
    module = HostedPlugin("bad", module=plugin(enrich=fail), clock=lambda: now[0])
    host = PluginManager([module])
    for second in (0, 30, 61):
        now[0] = second
        host.enrich([event(id=f"{second}-{number}") for number in range(100)], [True] * 100)
    assert caplog.messages == [
        "plugin bad: firstcause_enrich raised ValueError: 0-0",
        "plugin bad: firstcause_enrich raised ValueError: 61-0 (199 more like it were not logged)",
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"interval": 0}, "interval"),
        ({"interval": float("nan")}, "interval"),
        ({"timeout": -1}, "timeout"),
        ({"jitter": 7}, "jitter"),
    ],
)
def test_a_probe_that_would_never_rest_is_left_out(fields: dict[str, float], said: str) -> None:
    host = host_of(bad=plugin(probes=lambda: [probe("p", **fields)]), good=plugin(**GOOD))
    assert [each.name for each in host.probes()] == ["p"]
    assert f"with wrong fields: {said}: " in problems(host, "bad")[0]


def test_a_folder_of_rules_that_is_missing_is_named() -> None:
    host = host_of(bad=plugin(rules=lambda: [Path("/no/such/folder")]), good=plugin(**GOOD))
    assert host.rule_folders() == WHOLE["rules"]
    assert problems(host, "bad")[0].startswith("firstcause_rules: no folder /no/such/folder; ")
