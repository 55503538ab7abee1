"""Exception groups: what they say is what their likeliest member says."""

from __future__ import annotations

import itertools
import traceback
from datetime import UTC, datetime

import pytest

from firstcause.core.catalog import Catalog, Entry
from firstcause.core.grouping.fingerprint import identify
from firstcause.core.model import Event

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def make_catalog() -> Catalog:
    entry = Entry.model_validate(
        {"code": "CACHE_DOWN", "title": "it is away", "category": "SYSTEM", "severity": "CRITICAL",
         "component": "redis"}
    )  # fmt: skip
    return Catalog([entry], lambda text: "CACHE_DOWN" if "cache:6379" in text else None)


def python_group(members: list[Exception]) -> Event:
    try:
        raise ExceptionGroup("unhandled errors in a TaskGroup", members)  # noqa: TRY301 - to have a stack
    except ExceptionGroup as error:
        stack = "".join(traceback.format_exception(error))
        return Event(id="x", time=NOW, message=f"ExceptionGroup: {error}", stack=stack)


def test_the_order_of_members_changes_nothing() -> None:
    members = [ValueError("bad order 1"), KeyError("sku"), OSError("disk gone")]
    identified = [
        identify(python_group(list(order)), make_catalog()) for order in itertools.permutations(members)
    ]
    assert {each.title for each in identified} == {"KeyError: 'sku'"}
    assert len({each.fingerprint for each in identified}) == 1


def test_a_member_that_the_catalog_knows_is_the_error() -> None:
    known = OSError("Error 111 connecting to cache:6379. Connection refused.")
    occurrence = identify(python_group([ValueError("a"), known]), make_catalog())
    assert occurrence.entry is not None
    assert occurrence.entry.component == "redis"
    assert occurrence.event.details["exception_group"].startswith("ExceptionGroup: unhandled errors")


def test_what_a_group_within_a_group_holds_counts() -> None:
    inner = ExceptionGroup("inner", [ValueError("deep")])
    assert identify(python_group([inner]), make_catalog()).title == "ValueError: deep"


def test_the_members_that_a_sender_lists_count() -> None:
    event = Event(
        id="x", time=NOW, message="ExceptionGroup: both (2 sub-exceptions)",
        details={"caused_by": ["CancelledError", "TimeoutError: no answer", "ExceptionGroup: inner"]},
    )  # fmt: skip
    assert identify(event, make_catalog()).title == "TimeoutError: no answer"


DOTNET = """System.AggregateException: One or more errors occurred. (Bad order) (A task was canceled.)
 ---> System.InvalidOperationException: Bad order
   at Shop.Orders.Place() in /src/Orders.cs:line 12
   --- End of inner exception stack trace ---
   at System.Threading.Tasks.Task.WaitAllCore()
 ---> (Inner Exception #1) System.Threading.Tasks.TaskCanceledException: A task was canceled.<---
"""
NODE = """AggregateError: All promises were rejected
    at async main (/app/index.js:4:3) {
  [errors]: [
    Error: connect ECONNREFUSED 10.0.0.1:80
        at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16) {
      errno: -111
    }
  ]
}"""


@pytest.mark.parametrize(
    ("stack", "title"),
    [
        (DOTNET, "System.InvalidOperationException: Bad order"),
        (NODE, "Error: connect ECONNREFUSED 10.0.0.1:80"),
    ],
    ids=["dotnet", "node"],
)
def test_groups_of_other_languages_are_told_by_their_members(stack: str, title: str) -> None:
    message = stack.partition("\n")[0]
    occurrence = identify(Event(id="x", time=NOW, message=message, stack=stack), make_catalog())
    assert occurrence.entry is not None or occurrence.title == title
    assert occurrence.event.message == title


def test_a_group_of_which_nothing_is_known_says_what_it_says() -> None:
    event = Event(id="x", time=NOW, message="AggregateError: All promises were rejected")
    assert identify(event, make_catalog()).event is event
