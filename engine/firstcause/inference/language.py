"""The rule language: a rule lists facts that must exist, facts that must not, and the verdicts it gives."""

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
"""`$name`: the fact that `when` matched under that name."""

Number = Annotated[int, Field(strict=True)] | Annotated[float, Field(strict=True, allow_inf_nan=False)]
Literal = str | bool | int | float


class Comparison(Frozen):
    """Tests of one field against literals, all of which must hold.

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
        """The names of the tests that are set."""
        return {name for name in type(self).model_fields if getattr(self, name) is not None}


def _condition_tag(value: object) -> str:
    return "comparison" if isinstance(value, dict | Comparison) else "literal"


Condition = Annotated[
    Annotated[Literal, Tag("literal")] | Annotated[Comparison, Tag("comparison")],
    Discriminator(_condition_tag),
]


class Pattern(RootModel[dict[str, Condition]]):
    """A pattern for one fact: its `kind` and tests of its fields, all of which must hold.

    A literal text that begins with `$` is a join: `$name.field` of an earlier pattern.
    """

    @property
    def kind(self) -> str:
        return str(self.root["kind"])


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
