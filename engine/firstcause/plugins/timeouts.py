"""Calls a stranger's code for a limited time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_MAX_DESCRIPTION_LENGTH = 500


class CallTimeoutError(TimeoutError):
    """No answer within the time given; not a TimeoutError that the code itself raised."""


def call_with_timeout(function: Callable[[], T], timeout: float, name: str) -> T:
    """The function's result. OverdueError after `timeout` seconds; its thread, which no one can end, is left.

    What the function raises is raised here; SystemExit, which is no error of ours, as RuntimeError.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    thread.join(timeout)
    if errors:
        error = errors[0]
        if isinstance(error, Exception):
            raise error
        raise RuntimeError(f"{name} raised {describe_error(error)}") from error
    if not results:
        raise CallTimeoutError(f"{name} gave no answer within {timeout:g} s")
    return results[0]


def describe_error(error: BaseException) -> str:
    """Its type and text on one line of at most 500 characters. Never raises, whatever its __str__ does."""
    kind = type(error).__name__
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - a stranger's __str__ may raise anything
        return kind
    return f"{kind}: {text}"[:_MAX_DESCRIPTION_LENGTH] if text else kind
