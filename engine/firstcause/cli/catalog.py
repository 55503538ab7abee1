"""catalog list, show, import, coverage."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from firstcause.cli.common import Context, clean, json_option, pass_context, show_json, show_table
from firstcause.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstcause.authoring.coverage import Uncovered
    from firstcause.authoring.importer import Imported
    from firstcause.core.catalog import Catalog


@click.group()
def catalog() -> None:
    """The known errors and how to fix them."""


@catalog.command(name="list", epilog="Example: firstcause catalog list --json")
@json_option
@pass_context
def list_entries(ctx: Context, *, as_json: bool) -> None:
    """All known errors."""
    from firstcause.incidents.serializers import entry_answer

    entries = ctx.service.catalog.entries.values()
    if as_json:
        show_json({"entries": [entry_answer(entry) for entry in entries]})
    else:
        rows = [(one.code, one.severity, one.impact.priority, one.component, one.title) for one in entries]
        show_table(("CODE", "SEVERITY", "PRIO", "COMPONENT", "TITLE"), rows)


@catalog.command(name="show", epilog="Example: firstcause catalog show TWILIO_API_FAILURE")
@click.argument("code")
@json_option
@pass_context
def show_entry(ctx: Context, *, code: str, as_json: bool) -> None:
    """One known error, with every field."""
    import yaml

    from firstcause.incidents.serializers import entry_answer

    entry = ctx.service.catalog.get(code.upper())
    if entry is None:
        near = difflib.get_close_matches(code.upper(), ctx.service.catalog.entries, 1)
        hint = f"; did you mean {near[0]}?" if near else "; `firstcause catalog list` has them all"
        msg = f"no catalog entry {code}{hint}"
        raise NotFoundError(msg)
    answer = entry_answer(entry)
    show_json(answer) if as_json else click.echo(
        yaml.safe_dump(answer, sort_keys=False, allow_unicode=True).rstrip()
    )


@catalog.command(name="import", epilog="Example: firstcause catalog import runbooks/ alerts/redis.yml")
@click.argument(
    "sources",
    nargs=-1,
    required=True,
    metavar="FILE_OR_FOLDER...",
    type=click.Path(exists=True, path_type=Path),
)
@click.option(
    "--into",
    metavar="RULE_FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The rule file to write to; without it one for each component, in imported/ of your rules folder.",
)
@click.option("--component", metavar="NAME", help="The component; without it the name of each file's folder.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@json_option
@pass_context
def import_entries(
    ctx: Context,
    *,
    sources: tuple[Path, ...],
    into: Path | None,
    component: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take in Prometheus alert rules (YAML) and runbook pages (Markdown) as catalog entries.

    A rule and a page of the same alert become one entry. What the catalog has already is left as it is.
    A file that cannot be used is named, and the others go on. Exit 1 where nothing in them can be used.
    """
    from firstcause.authoring.importer import import_all

    folders = ctx.service.rule_folders
    done = import_all(ctx.settings, folders, sources, into=into, component=component, dry_run=dry_run)
    if as_json:
        show_json(done.answer())
    else:
        _show_import(done, "would import" if dry_run else "imported")
    for path in done.unread:
        click.echo(f"{path} is in no folder of [rules] paths; add its folder there to have it read", err=True)
    click.get_current_context().exit(0 if done.useful else 1)


def _show_import(done: Imported, did: str) -> None:
    entries = f"{len(done.entries)} {'entry' if len(done.entries) == 1 else 'entries'}"
    files = f"{done.files} {'file' if done.files == 1 else 'files'}"
    into = f" into {_from_here(done.place)}" if done.place else ""
    skipped = f"; {len(done.skipped)} skipped:" if done.skipped else ""
    click.echo(clean(f"{did} {entries} from {files}{into}{skipped}"))
    for each in done.skipped:
        click.echo(f"  {clean(each.source)}: {clean(each.reason)}")


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


@catalog.command(epilog="Example: firstcause catalog coverage --draft")
@click.argument("text", required=False)
@click.option("--draft", is_flag=True, help="Print an entry to begin with, for the first of the list.")
@json_option
@pass_context
def coverage(ctx: Context, *, text: str | None, draft: bool, as_json: bool) -> None:
    """Which reported errors have no entry, the most frequent first; with TEXT those that have it in them."""
    from firstcause.authoring.coverage import coverage as look
    from firstcause.authoring.yaml_style import entry_text

    known = ctx.service.catalog
    found = look(ctx.ready_service.database, known)
    listed = [each for each in found.uncovered if text is None or each.has(text)]
    if text is not None and not listed:
        msg = f"no error without an entry has {text!r} in it; `firstcause catalog coverage` lists them"
        raise NotFoundError(msg)
    entry = listed[0].draft(known) if draft and listed else None
    if as_json:
        show_json(found.answer(listed) | ({"draft": entry} if draft else {}))
    elif entry is not None:
        _warn_of_code(listed[0], entry["code"])
        click.echo(entry_text(entry).rstrip())
    else:
        click.echo(f"{found.share:.1%} of {found.events} events have an entry")
        _show_uncovered(listed, known)


def _warn_of_code(uncovered: Uncovered, code: str) -> None:
    """A code that no entry can have stays unknown until its events say another."""
    if uncovered.code not in {None, code}:
        text = f"events say '{uncovered.code}', which no entry's code can be; have them say {code}"
        click.echo(clean(text), err=True)


def _show_uncovered(listed: Sequence[Uncovered], known: Catalog) -> None:
    if not listed:
        return
    from firstcause.authoring.entry_draft import title_of
    from firstcause.core.text.timestamps import format_time

    rows = [
        (
            each.count,
            each.code or title_of(each.message or ""),
            format_time(each.last_seen),
            "".join(each.draft(known).get("match", ())),
        )
        for each in listed
    ]
    show_table(("COUNT", "CODE or MESSAGE", "LAST SEEN", "DRAFT"), rows)


COMMANDS = (catalog,)
