"""Calls plugins' intake formats: each call for a limited time, with a result that is checked and limited."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import InstanceOf, TypeAdapter

from firstcause.core.model import Event
from firstcause.errors import IntakeError
from firstcause.hookspecs.types import IntakeFormat, IntakeResponse, IntakeResult, RejectedItem
from firstcause.plugins.plugin import ProblemKind
from firstcause.plugins.result_limits import MAX_TEXT_LENGTH, cut_text
from firstcause.plugins.timeouts import CallTimeoutError, describe_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from firstcause.hookspecs.types import IntakeOutcome
    from firstcause.plugins.plugin import Plugin
    from firstcause.plugins.plugin_calls import PluginCalls

T = TypeVar("T")

MAX_PARSED_EVENTS = 100_000
"""Events, and rejected items, that a format may make of one request."""

MAX_ANSWER_BYTES = 1 << 20
MAX_ANSWER_HEADERS = 50
MAX_TOKEN_LENGTH = 8_192

_MAX_KINDS = 100
_MAX_KIND_LENGTH = 100
_STATUSES = range(200, 600)

_events_adapter: TypeAdapter[list[Event]] = TypeAdapter(list[Annotated[Event, InstanceOf()]])
_rejected_adapter: TypeAdapter[list[RejectedItem]] = TypeAdapter(list[RejectedItem])


class GuardedFormat:
    """One format of a plugin."""

    def __init__(self, calls: PluginCalls, plugin: Plugin, intake_format: IntakeFormat) -> None:
        self._calls = calls
        self._plugin = plugin
        self._format = intake_format

    def build(self) -> IntakeFormat:
        """Build the format that the web server uses.

        Its `parse` and `token` raise IntakeError where the plugin's cannot be asked; its `answer` returns
        None then, which means our own response.
        """
        return replace(
            self._format,
            parse=self._parse_body,
            answer=self._build_answer if self._format.answer is not None else None,
            token=self._find_token if self._format.token is not None else None,
        )

    def _parse_body(self, body: bytes, headers: Mapping[str, str]) -> list[Event] | IntakeResult:
        try:
            description = f"reading {self._format.path}"
            return self._calls.call(
                self._plugin, description, lambda _given_up: _limit_result(self._format.parse(body, headers))
            )
        except IntakeError as error:
            raise _limit_error(error) from None
        except CallTimeoutError:
            raise self._build_busy_error() from None
        except Exception as error:
            self._add_problem(f"reading {self._format.path} failed: {describe_error(error)}")
            msg = f"plugin {self._plugin.name} cannot read the body; the log of firstcause says why"
            raise IntakeError(msg, 422) from error

    def _find_token(self, body: bytes, headers: Mapping[str, str]) -> str | None:
        try:
            token = self._call_function(self._format.token, str, body, headers)
        except CallTimeoutError:
            raise self._build_busy_error() from None
        return token if token is None or len(token) <= MAX_TOKEN_LENGTH else None

    def _build_answer(self, outcome: IntakeOutcome, headers: Mapping[str, str]) -> IntakeResponse | None:
        try:
            return self._call_function(self._format.answer, IntakeResponse, outcome, headers)
        except (CallTimeoutError, IntakeError):
            return None

    def _call_function(
        self, function: Callable[..., Any] | None, kind: type[T], *arguments: object
    ) -> T | None:
        """Call a function of the format; None if it raises, or returns something else than `kind`."""

        def call(_given_up: object) -> T | None:
            result = None if function is None else function(*arguments)
            if result is not None and not isinstance(result, kind):
                raise TypeError(f"it gave a {type(result).__name__}, not a {kind.__name__}")
            return _limit_response(result) if isinstance(result, IntakeResponse) else result  # type: ignore[return-value]

        description = f"the {'token' if kind is str else 'answer'} of {self._format.path}"
        try:
            return self._calls.call(self._plugin, description, call)
        except CallTimeoutError:
            raise
        except IntakeError as error:
            raise _limit_error(error) from None
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            self._add_problem(f"{description} failed: {describe_error(error)}")
            return None

    def _build_busy_error(self) -> IntakeError:
        msg = f"Plugin {self._plugin.name} is still processing an earlier request; retry later."
        return IntakeError(msg, 429, retry_after=self._calls.timeout)

    def _add_problem(self, text: str) -> None:
        self._plugin.add_problem(text, ProblemKind.CALL)


def _limit_result(result: Sequence[Event] | IntakeResult) -> list[Event] | IntakeResult:
    """Check what a format made of a request. Runs in the plugin's thread, as iterating may take for ever.

    IntakeError 413: there are too many events. ValidationError: there is something else among them.
    """
    if not isinstance(result, IntakeResult):
        return _events_adapter.validate_python(_take_items(result))
    return IntakeResult(
        events=_events_adapter.validate_python(_take_items(result.events)),
        ignored=_limit_counts(result.ignored),
        dropped_by_sender=_limit_counts(result.dropped_by_sender),
        rejected=[
            replace(item, error=cut_text(item.error))
            for item in _rejected_adapter.validate_python(_take_items(result.rejected))
        ],
        positions=list(islice(result.positions, MAX_PARSED_EVENTS)),
    )


def _take_items(values: Iterable[T]) -> list[T]:
    if isinstance(values, str | bytes | bytearray) or not hasattr(values, "__iter__"):
        raise TypeError(f"it gave a {type(values).__name__}, not a list")
    items = list(islice(values, MAX_PARSED_EVENTS + 1))
    if len(items) > MAX_PARSED_EVENTS:
        raise IntakeError(f"the request has more than {MAX_PARSED_EVENTS} events; split it", 413)
    return items


def _limit_counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {str(kind)[:_MAX_KIND_LENGTH]: int(count) for kind, count in islice(counts.items(), _MAX_KINDS)}


def _limit_response(response: IntakeResponse) -> IntakeResponse:
    """Check a response, and write its JSON. TypeError, ValueError: it cannot be sent."""
    body = response.body if isinstance(response.body, bytes) else json.dumps(dict(response.body)).encode()
    if response.status not in _STATUSES:
        raise ValueError(f"{response.status!r} is not the HTTP status of a response")
    if len(body) > MAX_ANSWER_BYTES:
        raise ValueError(f"the response is over {MAX_ANSWER_BYTES} bytes")
    headers = dict(islice(response.headers.items(), MAX_ANSWER_HEADERS))
    for name, value in headers.items():
        line = f"{name}: {value}"
        if len(line) > MAX_TEXT_LENGTH or not line.isprintable():
            raise ValueError("a header of the response is not a line of text")
        line.encode("latin-1")
    if not isinstance(response.body, bytes):
        headers = {"content-type": "application/json"} | headers
    return IntakeResponse(response.status, body, headers)


def _limit_error(error: IntakeError) -> IntakeError:
    text = cut_text(str(error))
    status = error.status if error.status in _STATUSES else 422
    return IntakeError(text, status, retry_after=error.retry_after)
