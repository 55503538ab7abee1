"""Commands for the catalog: catalog list, show, match, import, coverage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from firstcause.cli.common import Context, echo, json_option, pass_context, show_json, show_table, single_line
from firstcause.cli.completion import complete_code
from firstcause.core.text.spelling import suggest_nearest
from firstcause.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstcause.authoring.coverage import UncoveredFault
    from firstcause.authoring.importer import ImportResult
    from firstcause.core.catalog import Catalog


@click.group()
def catalog() -> None:
    """Show, import and check the catalog of known errors."""


@catalog.command(name="list", epilog="Example: firstcause catalog list --json")
@json_option
@pass_context
def list_entries(ctx: Context, *, as_json: bool) -> None:
    """List all catalog entries."""
    from firstcause.incidents.serializers import serialize_entry

    entries = ctx.app.rules.catalog.entries.values()
    if as_json:
        show_json({"entries": [serialize_entry(entry) for entry in entries]})
    else:
        rows = [
            (entry.code, entry.severity, entry.impact.priority, entry.component, entry.title)
            for entry in entries
        ]
        show_table(("CODE", "SEVERITY", "PRIO", "COMPONENT", "TITLE"), rows)


@catalog.command(name="show", epilog="Example: firstcause catalog show TWILIO_API_FAILURE")
@click.argument("code", shell_complete=complete_code)
@json_option
@pass_context
def show_entry(ctx: Context, *, code: str, as_json: bool) -> None:
    """Show one catalog entry with every field."""
    import yaml

    from firstcause.incidents.serializers import serialize_entry

    entry = ctx.app.rules.catalog.get(code.upper())
    if entry is None:
        hint = suggest_nearest(code, ctx.app.rules.catalog.entries, "{}")
        msg = f"no catalog entry {code}{hint or '; `firstcause catalog list` has them all'}"
        raise NotFoundError(msg)
    answer = serialize_entry(entry)
    show_json(answer) if as_json else echo(
        yaml.safe_dump(answer, sort_keys=False, allow_unicode=True).rstrip()
    )


@catalog.command(name="match", epilog='Example: firstcause catalog match "redis: connection refused"')
@click.argument("text")
@json_option
@pass_context
def match_text(ctx: Context, *, text: str, as_json: bool) -> None:
    """Show which entry the message TEXT gets, why, and which come second. Exit 1 if none."""
    from firstcause.authoring.text_match import explain_match

    candidates = explain_match(ctx.app.rules.current.book, text)
    if as_json:
        show_json(
            {"text": text, "entry": candidates[0]["code"] if candidates else None, "candidates": candidates}
        )
    for number, candidate in enumerate([] if as_json else candidates):
        reason = (
            f"the pattern {candidate['pattern']!r} is found in it"
            if candidate["pattern"] is not None
            else f"its words are similar, {candidate['score']:.2f}"
        )
        rank = "gets" if number == 0 else "then"
        echo(f"{rank}  {candidate['code']}  {candidate['place']}  {single_line(reason)}")
    if not candidates and not as_json:
        echo("no entry has a pattern that is found in it, or similar words; it would be an error of its own")
    click.get_current_context().exit(0 if candidates else 1)


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
    help="Write to this rule file. Default: one file a component, in imported/ of your rules folder.",
)
@click.option(
    "--component", metavar="NAME", help="Component of the entries. Default: the name of each file's folder."
)
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
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
    """Import Prometheus alert rules (YAML) and runbook pages (Markdown) as catalog entries.

    A rule and a page of the same alert become one entry. Existing entries are not changed. A file that cannot
    be read is named and skipped. Exit 1 if nothing could be imported.
    """
    from firstcause.authoring.importer import import_all

    folders = ctx.app.rules.folders
    result = import_all(ctx.settings, folders, sources, into=into, component=component, dry_run=dry_run)
    if as_json:
        show_json(result.to_dict())
    else:
        _show_import(result, "would import" if dry_run else "imported")
    for path in result.unread:
        echo(f"{path} is not in a folder of [rules] paths; add its folder there so that it is read", err=True)
    click.get_current_context().exit(0 if result.has_content else 1)


def _show_import(result: ImportResult, verb: str) -> None:
    entries = f"{len(result.entries)} {'entry' if len(result.entries) == 1 else 'entries'}"
    files = f"{result.files} {'file' if result.files == 1 else 'files'}"
    into = f" into {_relative_to_cwd(result.location)}" if result.location else ""
    skipped = f"; {len(result.skipped)} skipped:" if result.skipped else ""
    echo(single_line(f"{verb} {entries} from {files}{into}{skipped}"))
    for item in result.skipped:
        echo(f"  {single_line(item.source)}: {single_line(item.reason)}")


def _relative_to_cwd(path: Path) -> Path:
    current_folder = Path.cwd()
    return path.relative_to(current_folder) if path.is_relative_to(current_folder) else path


@catalog.command(epilog="Example: firstcause catalog coverage --draft")
@click.argument("text", required=False)
@click.option("--draft", is_flag=True, help="Draft an entry for the most frequent one.")
@json_option
@pass_context
def coverage(ctx: Context, *, text: str | None, draft: bool, as_json: bool) -> None:
    """List reported errors without an entry, most frequent first.

    With TEXT, only errors whose code or message contains it.
    """
    from firstcause.authoring.coverage import measure_coverage as look
    from firstcause.authoring.yaml_style import format_entry

    current_catalog = ctx.app.rules.catalog
    report = look(ctx.ready_app.database, current_catalog)
    uncovered = [item for item in report.uncovered if text is None or item.contains(text)]
    if text is not None and not uncovered:
        msg = f"no error without an entry contains {text!r}; `firstcause catalog coverage` lists them"
        raise NotFoundError(msg)
    entry = uncovered[0].draft_entry(current_catalog) if draft and uncovered else None
    if as_json:
        show_json(report.to_dict(uncovered) | ({"draft": entry} if draft else {}))
    elif entry is not None:
        _warn_of_code(uncovered[0], entry["code"])
        echo(format_entry(entry).rstrip())
    else:
        echo(f"{report.share:.1%} of {report.events} events have an entry")
        _show_uncovered(uncovered, current_catalog)


def _warn_of_code(uncovered: UncoveredFault, code: str) -> None:
    """Warn about a code that an entry cannot have: its events must send another one."""
    if uncovered.code not in {None, code}:
        text = f"'{uncovered.code}' is not a valid code for an entry; have the sender report {code}"
        echo(single_line(text), err=True)


def _show_uncovered(uncovered: Sequence[UncoveredFault], current_catalog: Catalog) -> None:
    if not uncovered:
        return
    from firstcause.authoring.entry_draft import extract_title
    from firstcause.core.text.timestamps import format_time

    rows = [
        (
            item.count,
            item.code or extract_title(item.message or ""),
            format_time(item.last_seen),
            "".join(item.draft_entry(current_catalog).get("match", ())),
        )
        for item in uncovered
    ]
    show_table(("COUNT", "CODE or MESSAGE", "LAST SEEN", "DRAFT"), rows)


COMMANDS = (catalog,)
