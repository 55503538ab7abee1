"""Limits what plugins' probes, notifiers and remedies return. What is cut becomes a problem of the plugin.

Their time is limited where they are called: `health.probe_runner`, `notify.notifier_calls`,
`incidents.remedies`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any

from firstcause.core.reading import Reading
from firstcause.errors import DeliveryError
from firstcause.hookspecs.types import DeliveryReport
from firstcause.plugins.plugin import ProblemKind
from firstcause.plugins.result_limits import (
    MAX_REFERENCE_LENGTH,
    cut_text,
    limit_delivery_error,
    limit_reading,
    limit_reference,
    limit_report,
)
from firstcause.plugins.timeouts import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstcause.core.notification import Notification
    from firstcause.hookspecs.types import Notifier, Probe, Remedy
    from firstcause.plugins.plugin import Plugin


def _keep_wrapped(guarded: partial[Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Keep the plugin's own function as `__wrapped__`, for `plugins check`."""
    return update_wrapper(guarded, function, assigned=(), updated=())


def guard_probe(plugin: Plugin, probe: Probe) -> Probe:
    """Return the probe with a check whose reading is limited."""
    return replace(probe, check=_keep_wrapped(partial(_check_probe, plugin, probe), probe.check))


def _check_probe(plugin: Plugin, probe: Probe) -> Reading:
    reading = probe.check()
    if not isinstance(reading, Reading):
        return reading
    limited, is_cut = limit_reading(reading)
    if is_cut:
        _add_problem(plugin, f"the reading of probe {probe.name} is too long; the rest is left out")
    return limited


def guard_notifier(plugin: Plugin, notifier: Notifier) -> Notifier:
    """Return the notifier with functions whose results and errors are limited."""
    return replace(
        notifier,
        send=_keep_wrapped(partial(_call_notifier, plugin, notifier, notifier.send), notifier.send),
        find_sent=notifier.find_sent and partial(_call_notifier, plugin, notifier, notifier.find_sent),
        check_delivery=notifier.check_delivery and partial(_check_delivery, notifier.check_delivery),
    )


def _call_notifier(
    plugin: Plugin,
    notifier: Notifier,
    function: Callable[[Notification], str | None],
    notification: Notification,
) -> str | None:
    try:
        returned: Any = function(notification)
    except DeliveryError as error:
        raise limit_delivery_error(error) from None
    reference = limit_reference(returned)
    if reference is None and isinstance(returned, str):
        problem = f"notifier {notifier.name} gave a reference of over {MAX_REFERENCE_LENGTH:,} characters"
        _add_problem(plugin, f"{problem}; it is not kept")
    return reference


def _check_delivery(check_delivery: Callable[[str], DeliveryReport], reference: str) -> DeliveryReport:
    report = check_delivery(reference)
    return limit_report(report) if isinstance(report, DeliveryReport) else report


def guard_remedy(plugin: Plugin, remedy: Remedy) -> Remedy:
    """Return the remedy with functions whose texts are limited."""
    return replace(
        remedy,
        plan=_keep_wrapped(partial(_describe, plugin, remedy.plan), remedy.plan),
        run=_keep_wrapped(partial(_describe, plugin, remedy.run), remedy.run),
    )


def _describe(plugin: Plugin, function: Callable[[], str]) -> str:
    try:
        return cut_text(str(function()))
    except Exception as error:
        _add_problem(plugin, f"a remedy raised {describe_error(error)}")
        raise


def _add_problem(plugin: Plugin, text: str) -> None:
    plugin.add_problem(text, ProblemKind.CALL)
