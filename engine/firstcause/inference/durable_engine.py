"""Rule sets of durable-rules. The only module that knows it; nothing here knows our rules.

Its Python layer is left aside: that loses matches where an action takes ten seconds by the wall
clock, and swallows errors. What is called here is the engine itself.
"""

from __future__ import annotations

import itertools
import json
import sys
from typing import TYPE_CHECKING, Any

from firstcause.errors import InferenceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Match = tuple[str, dict[str, str]]
"""The name of a rule, and the ids of the facts that it matched by their names in it."""

_numbers = itertools.count(1)

_ALWAYS = "always"
"""A rule that fires once a session, on a fact of its own.

A session in which no rule fired crashes the process when it is deleted: the engine frees a pointer
that it sets only when an action completes (state.c, createStateNode leaves `context` as it was).
"""


def engine() -> Any:
    """The engine's C extension; InferenceUnavailableError with the mend where it does not load."""
    try:
        import durable_rules_engine  # noqa: PLC0415 - where it is missing we say how to mend it
    except ImportError as error:
        again = "pip install --no-cache-dir --force-reinstall durable-rules"
        flags = 'CPPFLAGS="-DPyEval_CallObject=PyObject_CallObject" '
        mend = f"{flags}{again}" if sys.version_info >= (3, 13) else f"a C compiler, then: {again}"
        reason = " ".join(str(error).split())
        msg = f"the rule engine durable-rules does not load here ({reason}); mend it with: {mend}"
        raise InferenceUnavailableError(msg) from error
    return durable_rules_engine


class RuleSet:
    """One compiled set of up to some 400 rules. Not for use by several threads at once."""

    def __init__(self, definitions: Mapping[str, Mapping[str, Any]]) -> None:
        self._engine = engine()
        # The engine refuses a fact that no rule takes: this one takes every fact, and never fires.
        own = {
            "spare": {"all": [{"any": {"$ex": {"id": 1}}}, {"never": {"never": 1}}]},
            _ALWAYS: {"all": [{"m": {_ALWAYS: 1}}]},
        }
        name = f"firstcause-{next(_numbers)}"
        self._handle: Any = self._engine.create_ruleset(name, json.dumps({**definitions, **own}))

    def run(self, facts: Sequence[Mapping[str, str | int]]) -> list[Match]:
        """All matches among these facts, each with an `id` of its own, in a session that is then gone."""
        sid = f"s{next(_numbers)}"
        told = json.dumps([{**fact, "sid": sid} for fact in (*facts, {"id": _ALWAYS, _ALWAYS: 1})])
        _code, state = self._engine.assert_facts(self._handle, told)
        matches = self._matches(state)
        # Not where an error came before: a session that stays is better than one that crashes us.
        self._engine.delete_state(self._handle, sid)
        return [match for match in matches if match[0] != _ALWAYS]

    def _matches(self, state: Any) -> list[Match]:
        found: list[Match] = []
        started = self._engine.start_action_for_state(self._handle, state)
        action = started[1] if started else None
        while action:
            for rule, facts in json.loads(action).items():
                found.append((rule, {name: fact["id"] for name, fact in facts.items()}))
            action = self._engine.complete_and_start_action(self._handle, state)
        return found

    def close(self) -> None:
        """Free its memory; it cannot be run any more."""
        self._engine.delete_ruleset(self._handle)
