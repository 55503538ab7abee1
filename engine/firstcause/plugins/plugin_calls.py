"""Calls plugins for a limited time. One that hangs, or whose calls leave threads behind, rests meanwhile."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from firstcause.plugins.plugin import ProblemKind
from firstcause.plugins.thread_leaks import MAX_LEAKED_THREADS, ThreadLeakTracker
from firstcause.plugins.timeouts import CallThreads, CallTimeoutError, describe_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstcause.plugins.plugin import Plugin

T = TypeVar("T")

HOOK_TIMEOUT_S = 5.0
"""Seconds within which one plugin must return from one hook, also for a whole batch of events."""

_REPEATED_HOOKS = frozenset({"firstcause_enrich", "firstcause_facts"})
"""Hooks that are called again and again. What goes wrong in the others stays until a restart."""

_MANY_THREADS = 200
"""Threads of the process above which each call is looked at for the threads that it leaves behind."""


class GivenUp(threading.Event):
    """Set once a call took too long: nobody waits for its result any more, so it need not go on."""


class PluginCalls:
    """Calls plugins, and knows which of them still hang. Thread-safe.

    timeout: seconds for each call.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._threads = CallThreads()
        self._hanging: dict[str, threading.Event] = {}
        self._thread_leaks = ThreadLeakTracker()

    def call(self, plugin: Plugin, description: str, function: Callable[[GivenUp], T]) -> T:
        """Return the function's result; what it raises is raised here, SystemExit as RuntimeError.

        description: of the call, as a problem of the plugin names it; the hook's name for a hook.
        CallTimeoutError: it took too long, an earlier call still hangs, or too many threads are left behind.
        """
        hanging = self._hanging.get(plugin.name)
        if hanging is not None and not hanging.is_set():
            raise CallTimeoutError(f"{plugin.name} still hangs")
        self._check_threads(plugin, description)
        is_finished, given_up = threading.Event(), GivenUp()

        def run() -> T:
            threads_before = threading.enumerate() if threading.active_count() > _MANY_THREADS else None
            try:
                return function(given_up)
            finally:
                if threads_before is not None:
                    self._thread_leaks.claim(plugin.name, threads_before)
                is_finished.set()

        try:
            return self._threads.call(run, self.timeout, f"{plugin.name}.{description}")
        except CallTimeoutError:
            given_up.set()
            self._hanging[plugin.name] = is_finished
            plugin.add_problem(
                f"{description} did not return within {self.timeout:g} s; it is skipped while it hangs",
                get_problem_kind(description),
            )
            raise

    def _check_threads(self, plugin: Plugin, description: str) -> None:
        if self._thread_leaks.count(plugin.name) > MAX_LEAKED_THREADS:
            plugin.add_problem(
                f"its calls left over {MAX_LEAKED_THREADS} threads behind that still run; "
                "it is skipped until they have ended",
                get_problem_kind(description),
            )
            raise CallTimeoutError(f"{plugin.name} left threads behind")

    def call_hook(self, plugin: Plugin, hook: str, function: Callable[[GivenUp], T]) -> T | None:
        """Return the result; None if the plugin failed, or may not be called at present."""
        try:
            return self.call(plugin, hook, function)
        except CallTimeoutError:
            return None
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            plugin.add_problem(f"{hook} raised {describe_error(error)}", get_problem_kind(hook))
        return None


def get_problem_kind(call: str) -> ProblemKind:
    """Return how a problem in a hook ends, or in reading a body of a format."""
    is_single = call.startswith("firstcause_") and call not in _REPEATED_HOOKS
    return ProblemKind.LASTING if is_single else ProblemKind.CALL
