"""Runs rule sets of durable-rules. Only this module knows that library, and it does not know our rules.

Its Python layer is not used: that layer loses matches where an action takes ten seconds of wall-clock
time, and swallows errors. This module calls the engine itself.
"""

from __future__ import annotations

import itertools
import json
import shlex
import sys
from typing import TYPE_CHECKING, Any

from firstcause.errors import InferenceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Match = tuple[str, dict[str, str]]
"""The name of a rule, and the ids of the facts that it matched by their names in it."""

_unique_ids = itertools.count(1)

_ALWAYS_RULE = "always"
"""A rule that fires once a session, on a fact of its own.

A session in which no rule fired crashes the process when it is deleted: the engine frees a pointer
that it sets only when an action completes (state.c, createStateNode leaves `context` as it was).
"""


_MAX_REMEMBERED = 500
_MAX_REMEMBERED_CHARS = 4_000
"""Matches are remembered for so many small sets of facts: in a storm, hundreds of tenants report the same."""


class EngineLimitError(Exception):
    """The engine refused facts, as they pass more of the set's tests at once than it can hold."""


def _make_session_id() -> str:
    return f"s{next(_unique_ids)}"


def load_engine() -> Any:
    """Load the engine's C extension. InferenceUnavailableError: it does not load; the message has the fix."""
    try:
        import durable_rules_engine  # noqa: PLC0415 - where it is missing, the error says how to fix that
    except ImportError as error:
        # Python 3.13 removed a name that the engine calls. The flag serves every version, so one line does.
        fix_command = (
            f"CPPFLAGS=-DPyEval_CallObject=PyObject_CallObject {shlex.quote(sys.executable)} -m pip install "
            "--no-cache-dir --force-reinstall --no-deps durable-rules==2.0.28"
        )
        reason = " ".join(str(error).split())
        msg = (
            f"the rule engine durable-rules does not load ({reason}); build it again, which needs "
            f"a C compiler: {fix_command}"
        )
        raise InferenceUnavailableError(msg) from error
    return durable_rules_engine


class RuleSet:
    """One compiled set of up to some 400 rules. Not for use by several threads at once."""

    def __init__(self, definitions: Mapping[str, Mapping[str, Any]]) -> None:
        self._engine = load_engine()
        # The engine refuses a fact that no rule accepts; this rule accepts every fact and never fires.
        internal_rules = {
            "spare": {"all": [{"any": {"$ex": {"id": 1}}}, {"never": {"never": 1}}]},
            _ALWAYS_RULE: {"all": [{"m": {_ALWAYS_RULE: 1}}]},
        }
        name = f"firstcause-{next(_unique_ids)}"
        self._sid = _make_session_id()
        self._known_matches: dict[str, list[Match]] = {}
        self._handle: Any = self._engine.create_ruleset(name, json.dumps({**definitions, **internal_rules}))

    def run(self, facts: Sequence[Mapping[str, str | int]]) -> list[Match]:
        """Return all matches among these facts, whose `id`s differ, in a session that is then deleted.

        EngineLimitError: the engine cannot hold so many branches; a smaller set can.
        """
        payload = json.dumps(
            [{**fact, "sid": self._sid} for fact in (*facts, {"id": _ALWAYS_RULE, _ALWAYS_RULE: 1})]
        )
        if payload in self._known_matches:
            return self._known_matches[payload]
        sid = self._sid
        # After an error the session stays, as deleting it might crash the process; the next one is another.
        self._sid = _make_session_id()
        try:
            _code, state = self._engine.assert_facts(self._handle, payload)
        except self._engine.error as error:
            raise EngineLimitError(str(error)) from error
        found = [match for match in self._collect_matches(state) if match[0] != _ALWAYS_RULE]
        self._engine.delete_state(self._handle, sid)
        self._sid = sid
        if len(payload) <= _MAX_REMEMBERED_CHARS:
            if len(self._known_matches) >= _MAX_REMEMBERED:
                self._known_matches.clear()
            self._known_matches[payload] = found
        return found

    def _collect_matches(self, state: Any) -> list[Match]:
        matches: list[Match] = []
        started = self._engine.start_action_for_state(self._handle, state)
        action = started[1] if started else None
        while action:
            for rule, facts in json.loads(action).items():
                matches.append((rule, {name: fact["id"] for name, fact in facts.items()}))
            action = self._engine.complete_and_start_action(self._handle, state)
        return matches

    def close(self) -> None:
        """Free the memory. The set cannot be run afterwards."""
        self._engine.delete_ruleset(self._handle)
