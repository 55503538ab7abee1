"""The schema of a rule file: component, depends_on, thresholds, catalog, signals, rules, tests."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from firstcause.core.catalog import Code, EntryBody, EntryImpact, Fix, Verify
from firstcause.core.model import Category, FactValue, Frozen, MaybeName, Priority, Severity, Source
from firstcause.core.root_cause.learned_chances import LearnedChances
from firstcause.core.root_cause.signals import Signal
from firstcause.core.text.durations import Duration
from firstcause.inference.language import Alias, Literal, Rule, RuleId
from firstcause.rulefiles.fact_schema import FIELDS_BY_KIND, build_field_conditions

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
ComponentName = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Component = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]*$", max_length=120)]


class TestEvent(Frozen):
    """An event as an application would report it. Its time is that of the step."""

    __test__ = False

    id: Text | None = None
    code: MaybeName = None
    message: Text | None = None
    severity: Severity | None = None
    tenant: MaybeName = None
    service: MaybeName = None
    details: dict[str, Any] = Field(default_factory=dict)
    source: Source | None = None
    stack: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    probe: Text | None = None
    resolved: bool = False

    @model_validator(mode="after")
    def _require_code_or_message(self) -> TestEvent:
        if self.code is None and self.message is None:
            raise ValueError("an event needs a `code` or a `message`")
        return self


class Step(Frozen):
    """One step of a test: an event, or other facts from then on; with neither, time passes.

    at: seconds since the start of the test. facts: each with its `kind`; they replace the earlier facts.
    repeat, every: the event occurs so often, so many seconds apart.
    """

    at: Duration
    repeat: int = Field(default=1, ge=1, le=10_000)
    every: Duration = 1.0
    event: TestEvent | None = None
    facts: tuple[dict[str, FactValue], ...] | None = None

    @model_validator(mode="after")
    def _check_event_or_facts(self) -> Step:
        if self.event is not None and self.facts is not None:
            raise ValueError("a step has either an `event` or `facts`; make it two steps")
        if not all(isinstance(fact.get("kind"), str) for fact in self.facts or ()):
            raise ValueError("a fact needs a `kind`, such as env")
        if self.repeat > 1 and self.event is None:
            raise ValueError("`repeat` repeats an event; add the event, or remove `repeat`")
        return self


class Expect(Frozen):
    """The expected state after all steps. A field that is left out is not checked.

    regressions: names of the differences among the last facts that are regressions. known_good: whether the
    snapshot among them is a good state. predictions: metrics whose forecast becomes an error. fired,
    not_fired: ids of rules that gave a verdict at any time, or never. quiet: whether nobody is notified.
    """

    incidents: int | None = Field(default=None, ge=0)
    root: Code | None = None
    cascades: tuple[Code, ...] | None = None
    priority: Priority | None = None
    notifications: int | None = Field(default=None, ge=0)
    regressions: tuple[Text, ...] | None = None
    known_good: bool | None = None
    predictions: tuple[Text, ...] | None = None
    fired: tuple[RuleId, ...] | None = None
    not_fired: tuple[RuleId, ...] | None = None
    quiet: bool | None = None

    @model_validator(mode="after")
    def _require_expectation(self) -> Expect:
        if not self.model_fields_set:
            raise ValueError(f"the test expects nothing; add one of {', '.join(type(self).model_fields)}")
        return self


class RuleTest(Frozen):
    """One test: what happens, and what is expected.

    uncatalogued: codes of events that no catalog has, on purpose; any other unknown code is a mistake.
    """

    name: Text
    uncatalogued: tuple[Code, ...] = ()
    given: tuple[Step, ...] = Field(min_length=1)
    expect: Expect

    @model_validator(mode="after")
    def _check_time_order(self) -> RuleTest:
        times = [step.at for step in self.given]
        if times != sorted(times):
            raise ValueError("the steps of `given` go back in time; put them in order of `at`")
        return self


class Extension(Frozen):
    """A catalog entry that begins as a copy of another. Without a code of its own it changes that entry."""

    extends: Code
    code: Code | None = None
    title: Text | None = None
    category: Category | None = None
    severity: Severity | None = None
    customer_facing: bool | None = None
    match: tuple[Text, ...] | None = None
    causes: tuple[Code, ...] | None = None
    fix: Fix | None = None
    reproduce: tuple[Text, ...] | None = None
    verify: Verify | None = None
    docs: Text | None = None
    common_causes: tuple[Text, ...] | None = None
    related: tuple[Code, ...] | None = None
    impact: EntryImpact | None = None


class RuleFile(Frozen):
    """A rule file. depends_on: components that this one cannot work without.

    kinds: of facts that plugins supply; a rule that looks for any other unknown kind is a mistake.

    thresholds: values that rules use as `$thresholds.name` and that a site may override.
    signals: what alerts may be about, and how a fault shows itself to the components around it.
    learned: what past storms teach of how often alerts mean nothing; `diagnose --history` prints it.
    topology: component -> the components that it depends on, for components without a file of their own.
    aliases: component -> its other names, such as a host, a program or a DNS name.
    """

    component: Component
    depends_on: tuple[Component, ...] = ()
    learned: LearnedChances = LearnedChances()
    topology: dict[ComponentName, tuple[ComponentName, ...]] = Field(default_factory=dict)
    aliases: dict[ComponentName, tuple[ComponentName, ...]] = Field(default_factory=dict)
    kinds: tuple[Alias, ...] = ()
    thresholds: dict[Alias, Literal | tuple[Literal, ...]] = Field(default_factory=dict)
    catalog: tuple[EntryBody | Extension, ...] = ()
    signals: tuple[Signal, ...] = ()
    rules: tuple[Rule, ...] = ()
    tests: tuple[RuleTest, ...] = ()

    @model_validator(mode="after")
    def _reject_self_dependency(self) -> RuleFile:
        if self.component in self.depends_on:
            raise ValueError(f"{self.component} depends on itself; remove it from depends_on")
        return self


_THRESHOLD_REFERENCE = {"type": "string", "pattern": r"^\$thresholds\.[a-z][a-z0-9_]*$"}


def build_json_schema() -> dict[str, Any]:
    """Build the JSON Schema (2020-12) of a rule file, for editors."""
    schema = RuleFile.model_json_schema(by_alias=True)
    threshold_models = {"Comparison", "RootCause", "Cascade", "ImpactVerdict"}
    # Plugins may bring other kinds, so these are offered, not demanded.
    schema["$defs"]["Pattern"]["properties"] = {
        "kind": {"anyOf": [{"enum": list(FIELDS_BY_KIND)}, {"type": "string"}]}
    }
    schema["$defs"]["Pattern"]["allOf"] = list(build_field_conditions())
    schema["$defs"] = {
        name: _allow_thresholds(part) if name in threshold_models else part
        for name, part in schema["$defs"].items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "firstcause rule file",
    }


def format_schema_text() -> str:
    """Format the schema as it is written to a file."""
    return json.dumps(build_json_schema(), indent=2) + "\n"


def _allow_thresholds(part: Any) -> Any:
    """Allow the name of a threshold wherever a number or a list may stand."""
    if isinstance(part, list):
        return [_allow_thresholds(item) for item in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") in {"number", "integer", "array"}:
        return {"anyOf": [part, _THRESHOLD_REFERENCE]}
    # Not `oneOf`: the name of a threshold looks like a field of a fact too.
    return {"anyOf" if key == "oneOf" else key: _allow_thresholds(value) for key, value in part.items()}
