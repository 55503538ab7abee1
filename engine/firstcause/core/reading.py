"""What a probe saw."""

from __future__ import annotations

from pydantic import Field

from firstcause.core.model import Frozen, Scalar, Status


class Problem(Frozen):
    """A further problem that a probe saw. code: the error code, None if it has none."""

    detail: str
    code: str | None = None


class Reading(Frozen):
    """What one probe saw.

    code: the error this is, where not UP; the catalog says the rest. problems: what else is wrong.
    latency_ms: of the check itself. detail: one line for a person. data: numbers and words to keep, the
    unit at the end of a number's name. momentary: a DEGRADED that may be gone a moment later, such as one
    slow answer; as after DOWN, the probe looks again before anybody is notified.
    """

    status: Status
    detail: str = ""
    latency_ms: float | None = None
    code: str | None = None
    data: dict[str, Scalar | None] = Field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    momentary: bool = False
