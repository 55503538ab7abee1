"""Calls the code of plugins for a limited time."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from firstcause.plugins.plugin_thread import PluginThread
from firstcause.plugins.stdout_capture import install_stdout_capture

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_MAX_DESCRIPTION_LENGTH = 500


class CallTimeoutError(TimeoutError):
    """The call did not return in time. A TimeoutError that the code itself raised is not one."""


def call_with_timeout(function: Callable[[], T], timeout: float, name: str) -> T:
    """Return the function's result. An exception that it raises is raised here; SystemExit as RuntimeError.

    timeout: seconds.
    CallTimeoutError: the function did not return in time. Its thread, which nothing can end, continues.
    What the function prints goes to the log.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
            errors.append(error)

    install_stdout_capture()
    thread = PluginThread(name, run)
    thread.start()
    thread.join(timeout)
    if errors:
        error = errors[0]
        if isinstance(error, Exception):
            raise error
        raise RuntimeError(f"{name} raised {describe_error(error)}") from error
    if not results:
        raise CallTimeoutError(f"{name} did not return within {timeout:g} s")
    return results[0]


def describe_error(error: BaseException) -> str:
    """Describe an error on one line of at most 500 characters. Never raises, whatever its __str__ does."""
    kind = type(error).__name__
    try:
        text = " ".join(str(error)[: 4 * _MAX_DESCRIPTION_LENGTH].split())
    except Exception:  # noqa: BLE001 - a stranger's __str__ may raise anything
        return kind
    return _cut_at_blank(f"{kind}: {text}") if text else kind


def _cut_at_blank(text: str) -> str:
    """Cut between words where that is possible: half a secret is one that masking does not know."""
    if len(text) <= _MAX_DESCRIPTION_LENGTH:
        return text
    kept = text[:_MAX_DESCRIPTION_LENGTH]
    return kept.rpartition(" ")[0] or kept
