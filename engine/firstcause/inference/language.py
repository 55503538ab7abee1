"""The rule language: a rule lists facts that must exist, facts that must not, and the verdicts it gives."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Discriminator, Field, RootModel, StringConstraints, Tag, model_validator

from firstcause.core.catalog import Code
from firstcause.core.model import Frozen, Priority, Revenue, Severity, TenantScope, VerdictKind
from firstcause.core.text.durations import DURATION_REGEX, parse_duration
from firstcause.inference.variables import FIELD_SYNTAX, parse_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=120)]
Alias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Reference = Annotated[str, StringConstraints(pattern=r"^\$[a-z][a-z0-9_]*$")]
"""`$name`: the fact that `when` matched under that name."""

Number = Annotated[int, Field(strict=True)] | Annotated[float, Field(strict=True, allow_inf_nan=False)]
Literal = str | bool | int | float


FieldReference = Annotated[str, StringConstraints(pattern=rf"^\$[a-z][a-z0-9_]*\.{FIELD_SYNTAX}$")]
"""`$name.field`: a field of an earlier fact."""

LIMIT_TEXT = rf"^(?:\$[a-z][a-z0-9_]*\.{FIELD_SYNTAX}|{DURATION_REGEX})$"
"""What a limit that is a text may be: a duration, or a field of an earlier fact."""


class Scaled(Frozen):
    """A number of an earlier fact, times a factor and plus a summand."""

    of: FieldReference
    times: Number = 1
    plus: Number = 0


def _limit_tag(value: object) -> str:
    if isinstance(value, dict | Scaled):
        return "scaled"
    return "text" if isinstance(value, str) else "number"


Limit = Annotated[
    Annotated[Number, Tag("number")]
    | Annotated[Annotated[str, StringConstraints(pattern=LIMIT_TEXT)], Tag("text")]
    | Annotated[Scaled, Tag("scaled")],
    Discriminator(_limit_tag),
]
"""What a number is compared with: a number, a duration (in seconds), or a number of an earlier fact."""


@dataclass(frozen=True)
class Relation:
    """A test against a field of an earlier fact that is not equality.

    operator: gt, gte, lt, lte (with times and plus, of numbers) or not.
    """

    operator: str
    name: str
    field: str
    times: float = 1
    plus: float = 0


ORDERINGS = ("gt", "gte", "lt", "lte")


class Comparison(Frozen):
    """Tests of one field, all of which must hold.

    matches: a regular expression (RE2) found anywhere in the text, in any case.
    exists: true where the field has a value, false where it has none.
    not, not_in: the field has a value, and another one than these.
    """

    gt: Limit | None = None
    gte: Limit | None = None
    lt: Limit | None = None
    lte: Limit | None = None
    in_: tuple[Literal, ...] | None = Field(default=None, alias="in")
    not_: Literal | None = Field(default=None, alias="not")
    not_in: tuple[Literal, ...] | None = None
    matches: Text | None = None
    exists: bool | None = None

    @model_validator(mode="after")
    def _require_test(self) -> Comparison:
        if not self.present_tests:
            msg = "an empty test; give one of gt, gte, lt, lte, in, not, not_in, matches, exists"
            raise ValueError(msg)
        return self

    @property
    def present_tests(self) -> set[str]:
        """The names of the tests that are set."""
        return {name for name in type(self).model_fields if getattr(self, name) is not None}

    @property
    def limits(self) -> dict[str, float]:
        """The numbers and durations that it compares with, by operator."""
        return {
            name: parse_duration(limit) if isinstance(limit, str) else limit
            for name in ORDERINGS
            if (limit := getattr(self, name)) is not None and not _is_related(limit)
        }

    @property
    def relations(self) -> tuple[Relation, ...]:
        """The tests against earlier facts."""
        relations = []
        for name in ORDERINGS:
            limit = getattr(self, name)
            if _is_related(limit):
                scaled = limit if isinstance(limit, Scaled) else Scaled(of=limit)
                other, field = split_reference(scaled.of)
                relations.append(Relation(name, other, field, scaled.times, scaled.plus))
        if _is_related(self.not_):
            relations.append(Relation("not", *split_reference(str(self.not_))))
        return tuple(relations)

    @property
    def fixed(self) -> Comparison | None:
        """The tests that need no other fact; None if there are none."""
        names = {name for name in self.present_tests if not _is_related(getattr(self, name))}
        return (
            self.model_copy(update=dict.fromkeys(type(self).model_fields.keys() - names)) if names else None
        )


def _is_related(value: object) -> bool:
    return isinstance(value, Scaled) or (isinstance(value, str) and parse_reference(value) is not None)


def split_reference(reference: str) -> tuple[str, str]:
    """Return the name and the field of a valid `$name.field`."""
    name, _, field = reference.removeprefix("$").partition(".")
    return name, field


def _condition_tag(value: object) -> str:
    if isinstance(value, list | tuple) and all(isinstance(option, dict | Pattern) for option in value):
        return "alternatives"
    return "comparison" if isinstance(value, dict | Comparison) else "literal"


Condition = Annotated[
    Annotated[Literal, Tag("literal")]
    | Annotated[Comparison, Tag("comparison")]
    | Annotated[tuple["Pattern", ...], Tag("alternatives")],
    Discriminator(_condition_tag),
]


def expect_literal(test: Condition) -> Literal:
    """Return the literal that a condition is, if it does not compare, in a rule that was expanded."""
    if isinstance(test, Comparison | tuple):
        raise TypeError("a comparison or alternatives, not a literal: expand the rule first")
    return test


class Pattern(RootModel[dict[str, Condition]]):
    """A pattern for one fact: its `kind` and tests of its fields, all of which must hold.

    A literal text that begins with `$` is a join: `$name.field` of an earlier pattern. Words that are no
    fields are written out by `expansion`: `any` (one of these patterns), `after: $name` with `within`,
    `for`, `absent`.
    """

    @property
    def kind(self) -> str:
        return str(self.root.get("kind"))


class RootCause(Frozen):
    """Verdict: this alert is a root, even where edges lead to it."""

    of: Reference
    reason: Text
    confidence: float = Field(default=1.0, ge=0, le=1)


class Cascade(Frozen):
    """Verdict: this alert is caused by that one.

    across_tenants: a platform alert may follow from the alert of a tenant, as it sums up the errors of all.
    """

    of: Reference
    by: Reference
    reason: Text
    confidence: float = Field(default=1.0, ge=0, le=1)
    across_tenants: bool = False


class ImpactVerdict(Frozen):
    """Verdict: the impact of this alert. A text `$name.field` takes the value from a fact."""

    of: Reference
    reason: Text | None = None
    priority: Priority | Text | None = None
    revenue: Revenue | Text | None = None
    features: tuple[Text, ...] | Text | None = None
    tenants: TenantScope | Text | None = None
    customer_facing: bool | Text | None = None


class Suppress(Frozen):
    """Verdict: nobody is notified of an incident with this root."""

    of: Reference
    reason: Text


class Regression(Frozen):
    """Verdict: this difference makes the system worse than it was. It becomes an error of that code.

    rollback: what to put back, in words.
    """

    of: Reference
    reason: Text
    code: Code
    severity: Severity = Severity.WARNING
    rollback: Text | None = None


class Predict(Frozen):
    """Verdict: this forecast will come true. It becomes an error of that code."""

    of: Reference
    reason: Text
    code: Code
    severity: Severity = Severity.WARNING


class KnownGood(Frozen):
    """Verdict: the system is healthy in this snapshot, so later snapshots are compared with it."""

    of: Reference
    reason: Text


SUBJECT_KINDS: Mapping[VerdictKind, str] = MappingProxyType(
    {
        VerdictKind.REGRESSION: "difference",
        VerdictKind.PREDICT: "forecast",
        VerdictKind.KNOWN_GOOD: "snapshot",
    }
)
"""The kind of fact that a verdict is about, where that is not an alert."""


VerdictSpec = RootCause | Cascade | ImpactVerdict | Suppress | Regression | Predict | KnownGood


class Then(Frozen):
    """One item of `then`: exactly one verdict."""

    root_cause: RootCause | None = None
    cascade: Cascade | None = None
    impact: ImpactVerdict | None = None
    suppress: Suppress | None = None
    regression: Regression | None = None
    predict: Predict | None = None
    known_good: KnownGood | None = None

    @model_validator(mode="after")
    def _require_one_verdict(self) -> Then:
        if len(self.model_fields_set) != 1:
            msg = f"a list item must have exactly one verdict, of {', '.join(VerdictKind)}"
            raise ValueError(msg)
        return self

    @property
    def kind(self) -> VerdictKind:
        return VerdictKind(next(iter(self.model_fields_set)))

    @property
    def verdict(self) -> VerdictSpec:
        verdict: Any = getattr(self, self.kind)
        return verdict  # type: ignore[no-any-return]


class Rule(Frozen):
    """A rule. priority: where verdicts disagree about an alert, the one with the higher priority holds."""

    id: RuleId
    about: Text
    when: dict[Alias, Pattern] = Field(min_length=1, max_length=4)
    unless: dict[Alias, Pattern] = Field(default_factory=dict)
    then: tuple[Then, ...] = Field(min_length=1)
    priority: int = Field(default=0, ge=-1000, le=1000)


@dataclass(frozen=True)
class PlacedRule:
    """A rule and its place. file: its name as shown to users. line: from 1."""

    rule: Rule
    file: str
    line: int
