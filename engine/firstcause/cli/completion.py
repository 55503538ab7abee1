"""Completion that knows what is in the store: ids of incidents and silences, codes and probes.

A shell asks with each press of the tab key, so whatever fails completes nothing and says nothing.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from firstcause.cli.common import Context, now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import click

    from firstcause.app.application import Application

    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

_MAX_ITEMS = 200


def complete_from(list_pairs: Callable[[Application], Iterable[tuple[str, str]]]) -> Completer:
    """Make a completer of pairs (what is typed, what it is). They are listed only when a shell asks."""

    def complete(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        with contextlib.suppress(Exception), _open_app(ctx) as app:
            pairs = [pair for pair in list_pairs(app) if pair[0].upper().startswith(incomplete.upper())]
            return [CompletionItem(value, help=text) for value, text in pairs[:_MAX_ITEMS]]
        return []

    return complete


@contextlib.contextmanager
def _open_app(ctx: click.Context) -> Iterator[Application]:
    opened = Context(ctx.find_root().params.get("config"))
    try:
        yield opened.app
    finally:
        opened.close()


def _list_incidents(app: Application) -> Iterable[tuple[str, str]]:
    return ((one["id"], one["title"]) for one in app.incidents.list_incidents(None, _MAX_ITEMS))


def _list_silences(app: Application) -> Iterable[tuple[str, str]]:
    silences = app.silences.list_silences(now(), include_ended=False)
    return ((one["id"], ", ".join(one["matchers"])) for one in silences)


def _list_codes(app: Application) -> Iterable[tuple[str, str]]:
    return ((entry.code, entry.title) for entry in app.rules.catalog.entries.values())


def _list_probes(app: Application) -> Iterable[tuple[str, str]]:
    return ((probe.name, probe.component) for probe in app.health.probes.values())


complete_incident = complete_from(_list_incidents)
complete_silence = complete_from(_list_silences)
complete_code = complete_from(_list_codes)
complete_probe = complete_from(_list_probes)
