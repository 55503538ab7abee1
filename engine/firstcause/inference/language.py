"""The rule language as ops write it: one rule is facts to find, facts to miss, and verdicts to give."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Discriminator, Field, RootModel, StringConstraints, Tag, model_validator

from firstcause.core.catalog import Code
from firstcause.core.model import Frozen, Priority, Revenue, Severity, TenantScope, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Mapping

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=120)]
Alias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Reference = Annotated[str, StringConstraints(pattern=r"^\$[a-z][a-z0-9_]*$")]
"""`$name`: the fact that `when` found under that name."""

Number = Annotated[int, Field(strict=True)] | Annotated[float, Field(strict=True, allow_inf_nan=False)]
Literal = str | bool | int | float


class Comparison(Frozen):
    """A test of one field against literals. All that are given must hold.

    matches: a regular expression (RE2) found anywhere in the text, in any case.
    exists: true where the field has a value, false where it has none.
    """

    gt: Number | None = None
    gte: Number | None = None
    lt: Number | None = None
    lte: Number | None = None
    in_: tuple[Literal, ...] | None = Field(default=None, alias="in")
    matches: Text | None = None
    exists: bool | None = None

    @model_validator(mode="after")
    def _require_test(self) -> Comparison:
        if not self.present_tests:
            msg = "an empty test; give one of gt, gte, lt, lte, in, matches, exists"
            raise ValueError(msg)
        return self

    @property
    def present_tests(self) -> set[str]:
        """The names of the tests that are there."""
        return {name for name in type(self).model_fields if getattr(self, name) is not None}


def _condition_tag(value: object) -> str:
    return "comparison" if isinstance(value, dict | Comparison) else "literal"


Condition = Annotated[
    Annotated[Literal, Tag("literal")] | Annotated[Comparison, Tag("comparison")],
    Discriminator(_condition_tag),
]


class Pattern(RootModel[dict[str, Condition]]):
    """One fact to find: `kind` and tests of its fields, all of which must hold.

    A literal text that begins with `$` is a join: `$name.field` of an earlier pattern.
    """

    @property
    def kind(self) -> str:
        return str(self.root["kind"])


class RootCause(Frozen):
    """Verdict: this alert is a root, whatever edges say."""

    of: Reference
    reason: Text
    confidence: float = Field(default=1.0, ge=0, le=1)


class Cascade(Frozen):
    """Verdict: this alert is caused by that one."""

    of: Reference
    by: Reference
    reason: Text
    confidence: float = Field(default=1.0, ge=0, le=1)


class ImpactVerdict(Frozen):
    """Verdict: what this alert hits. A text `$name.field` takes the value from a fact."""

    of: Reference
    reason: Text | None = None
    priority: Priority | Text | None = None
    revenue: Revenue | Text | None = None
    features: tuple[Text, ...] | Text | None = None
    tenants: TenantScope | Text | None = None
    customer_facing: bool | Text | None = None


class Suppress(Frozen):
    """Verdict: nobody is told of an incident with this root."""

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
    """Verdict: what this forecast says is going to happen. It becomes an error of that code."""

    of: Reference
    reason: Text
    code: Code
    severity: Severity = Severity.WARNING


class KnownGood(Frozen):
    """Verdict: all is as it should be in this snapshot, so later ones are compared with it."""

    of: Reference
    reason: Text


SUBJECT_KINDS: Mapping[VerdictKind, str] = MappingProxyType(
    {
        VerdictKind.REGRESSION: "difference",
        VerdictKind.PREDICT: "forecast",
        VerdictKind.KNOWN_GOOD: "snapshot",
    }
)
"""The kind of fact that a verdict is about; of all others an alert."""


VerdictSpec = RootCause | Cascade | ImpactVerdict | Suppress | Regression | Predict | KnownGood


class Then(Frozen):
    """Exactly one verdict."""

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
            msg = f"one verdict a list item, of {', '.join(VerdictKind)}"
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
    """One rule. priority: where verdicts disagree about an alert, the higher one holds."""

    id: RuleId
    about: Text
    when: dict[Alias, Pattern] = Field(min_length=1, max_length=4)
    unless: dict[Alias, Pattern] = Field(default_factory=dict)
    then: tuple[Then, ...] = Field(min_length=1)
    priority: int = Field(default=0, ge=-1000, le=1000)


@dataclass(frozen=True)
class PlacedRule:
    """A rule and where it is written; file as shown to users, line counts from 1."""

    rule: Rule
    file: str
    line: int
