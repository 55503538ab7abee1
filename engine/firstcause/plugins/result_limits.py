"""Limits of what plugins return: items, bytes, depth. What is beyond them is cut or refused.

Each function returns copies, so that nothing grows after it was checked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from uuid import UUID

from firstcause.core.reading import Problem, Reading
from firstcause.errors import DeliveryError

if TYPE_CHECKING:
    from firstcause.hookspecs.types import DeliveryReport, Enrichment, SuppliedFact

MAX_HOOK_ITEMS = 500
"""Items of one hook: probes, notifiers, remedies, formats, listeners, rule folders, commands."""

MAX_FACTS = 2_000
"""Facts of one plugin in one evaluation."""

MAX_FACTS_BYTES = 1 << 20
"""Bytes of one plugin's facts in one evaluation."""

MAX_ENRICHMENT_BYTES = 64 << 10
"""Bytes that one plugin adds to one event."""

MAX_TEXT_LENGTH = 4_000
"""Characters of a text for people: a reading's detail, an error of a notifier, what a remedy says."""

MAX_REFERENCE_LENGTH = 1_000
"""Characters of a receiver's reference for a message."""

MAX_READING_VALUES, MAX_READING_PROBLEMS, MAX_RECEIPTS = 500, 100, 1_000

_MAX_DEPTH = 32
_MAX_NODES = 10_000
_MAX_NAME_LENGTH = 200
_MAX_VALUE_LENGTH = 1_000
_MAX_INTEGER = 1 << 63
_NODE_BYTES = 8
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class LimitExceededError(Exception):
    """What a plugin returned is beyond a limit. The text says which one."""


@dataclass
class Budget:
    """What may still be copied. left_bytes: of texts, names and numbers. total: shown if it is used up."""

    left_bytes: int
    total: str
    left_nodes: int = _MAX_NODES

    def spend(self, size: int) -> None:
        """LimitExceededError if there is less left."""
        self.left_bytes -= size + _NODE_BYTES
        self.left_nodes -= 1
        if self.left_bytes < 0:
            raise LimitExceededError(f"more than {self.total}")
        if self.left_nodes < 0:
            raise LimitExceededError(f"more than {_MAX_NODES:,} values")


def cut_text(text: str, max_length: int = MAX_TEXT_LENGTH) -> str:
    """Shorten a text to max_length characters, at a blank where there is one near the end.

    So a secret is kept whole or left out, and is not cut into something that masking does not know.
    """
    if len(text) <= max_length:
        return _UNSTORABLE.sub("\ufffd", text)
    kept = text[:max_length]
    last_blank = max(kept.rfind(" "), kept.rfind("\n"))
    if last_blank > max_length // 2:
        kept = kept[:last_blank]
    return _UNSTORABLE.sub("\ufffd", f"{kept}... (cut, it had {len(text)} characters)")


def copy_value(value: object, budget: Budget, depth: int = 0) -> Any:
    """Copy data as JSON can hold it. LimitExceededError, TypeError if a value is of another type."""
    if isinstance(value, str):
        text = value.value if isinstance(value, Enum) else value
        budget.spend(len(text))
        return _UNSTORABLE.sub("\ufffd", text)
    if value is None or isinstance(value, bool | int | float):
        budget.spend(0)
        return _copy_number(value)
    if isinstance(value, date | datetime):
        budget.spend(0)
        return value.isoformat()
    if isinstance(value, Decimal | UUID | PurePath):
        return copy_value(str(value), budget)
    if not isinstance(value, Mapping | list | tuple | set | frozenset):
        raise TypeError(f"a {type(value).__name__} is not a JSON value")
    if depth >= _MAX_DEPTH:
        raise LimitExceededError(f"nested deeper than {_MAX_DEPTH}")
    budget.spend(0)
    if isinstance(value, Mapping):
        return {
            copy_value(_name_key(key), budget): copy_value(item, budget, depth + 1)
            for key, item in value.items()
        }
    return [copy_value(item, budget, depth + 1) for item in value]


def _name_key(key: object) -> object:
    return (
        str(key)
        if isinstance(key, bool | float) or (isinstance(key, int) and abs(key) < _MAX_INTEGER)
        else key
    )


def _copy_number(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and abs(value) >= _MAX_INTEGER:
        raise LimitExceededError("a number beyond 64 bits")
    return value


def limit_enrichment(enrichment: Enrichment) -> Enrichment:
    """Copy an enrichment. LimitExceededError, TypeError."""
    budget = Budget(MAX_ENRICHMENT_BYTES, f"{MAX_ENRICHMENT_BYTES >> 10} KiB for one event")
    return replace(
        enrichment,
        details=copy_value(enrichment.details, budget),
        tags=copy_value(enrichment.tags, budget),
    )


def limit_fact(fact: SuppliedFact, budget: Budget) -> SuppliedFact:
    """Copy a fact. budget: of all facts of the plugin. LimitExceededError, TypeError."""
    budget.left_nodes = _MAX_NODES
    return replace(
        fact,
        kind=copy_value(fact.kind, budget),
        fields=copy_value(fact.fields, budget),
        id=copy_value(fact.id, budget),
    )


def limit_reading(reading: Reading) -> tuple[Reading, bool]:
    """Shorten what a reading says. Returns it, and whether anything was left out."""
    limited = reading.model_copy(
        update={
            "detail": cut_text(reading.detail),
            "code": reading.code and reading.code[:_MAX_NAME_LENGTH],
            "data": _limit_data(reading.data),
            "problems": tuple(
                Problem(
                    detail=cut_text(problem.detail), code=problem.code and problem.code[:_MAX_NAME_LENGTH]
                )
                for problem in reading.problems[:MAX_READING_PROBLEMS]
            ),
        }
    )
    return (limited, True) if limited != reading else (reading, False)


def _limit_data(data: Mapping[str, Any]) -> dict[str, Any]:
    limited: dict[str, Any] = {}
    for name, value in islice(data.items(), MAX_READING_VALUES):
        if isinstance(value, str):
            limited[name[:_MAX_NAME_LENGTH]] = cut_text(value, _MAX_VALUE_LENGTH)
        elif not (isinstance(value, int) and abs(value) >= _MAX_INTEGER):
            limited[name[:_MAX_NAME_LENGTH]] = value
    return limited


def limit_reference(reference: object) -> str | None:
    """Return a receiver's reference for a message; None if it is not a text, or too long to be one."""
    if isinstance(reference, bool) or not isinstance(reference, str | int):
        return None
    if isinstance(reference, int):
        return str(reference) if abs(reference) < _MAX_INTEGER else None
    return reference if len(reference) <= MAX_REFERENCE_LENGTH else None


def limit_report(report: DeliveryReport) -> DeliveryReport:
    """Shorten the error of a report about a message."""
    return replace(report, error=cut_text(report.error)) if report.error is not None else report


def limit_delivery_error(error: DeliveryError) -> DeliveryError:
    """Shorten the text and the receipts of an error. Returns the same one if it is within the limits."""
    text = str(error)
    receipts = dict(islice(error.receipts.items(), MAX_RECEIPTS))
    if len(text) <= MAX_TEXT_LENGTH and len(receipts) == len(error.receipts):
        return error
    return DeliveryError(
        cut_text(text),
        permanent=error.permanent,
        retry_after=error.retry_after,
        maybe_delivered=error.maybe_delivered,
        receipts=receipts,
    )
