"""The command topology: who calls whom, and its import from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from firstcause.cli.common import Context, echo, now, pass_context, single_line


@click.command(
    epilog="Example: firstcause topology checkout; firstcause topology import compose.yaml > rules/calls.yaml"
)
@click.argument("arguments", nargs=-1, metavar="[COMPONENT] | import FILE...")
@click.option(
    "--format", "output_format", type=click.Choice(["text", "json", "dot"]), default="text", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--all", "show_shipped", is_flag=True, help="Show the calls of the shipped rule files, too.")
@pass_context
def topology(
    ctx: Context, *, arguments: tuple[str, ...], output_format: str, as_json: bool, show_shipped: bool
) -> None:
    """Show which components call which: source, age and confidence of each call.

    With a COMPONENT, only its calls and those to it. `topology import FILE...` reads Compose files,
    Kubernetes manifests and Backstage catalogs, and prints a rule file to review.
    """
    if arguments and arguments[0] == "import":
        _import_files(arguments[1:])
        return
    if len(arguments) > 1:
        raise click.UsageError("name one COMPONENT, or `import` and files")
    component = arguments[0] if arguments else None
    edges = ctx.ready_app.topology.list_edges(now(), component)
    if not show_shipped and component is None:
        edges = [edge for edge in edges if edge["source"] != "shipped"]
    if as_json or output_format == "json":
        echo(json.dumps({"edges": edges}))
    elif output_format == "dot":
        echo(_to_dot(edges))
    else:
        _print_edges(edges)


def _import_files(files: tuple[str, ...]) -> None:
    from firstcause.authoring.topology_import import import_topology

    if not files:
        raise click.UsageError("name the files to import, such as compose.yaml")
    imported = import_topology(Path(name) for name in files)
    echo(imported.render().rstrip())
    echo(f"{len(imported.calls)} calls of {len(imported.components)} components", err=True)


def _print_edges(edges: list[dict[str, Any]]) -> None:
    if not edges:
        echo(
            "no calls are known yet; they are learned from errors that name what they called, "
            "or `firstcause topology import` reads them from files"
        )
        return
    for edge in edges:
        age = "" if edge["age_s"] is None else f", seen {_format_age(edge['age_s'])} ago"
        known = f"{edge['source']}{age}, {edge['confidence']:.0%}: {edge['why']}"
        echo(single_line(f"{edge['caller']} -> {edge['callee']}  {known}"))


def _format_age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _to_dot(edges: list[dict[str, Any]]) -> str:
    lines = ["digraph firstcause {", "  rankdir=LR;"]
    for edge in edges:
        style = "solid" if edge["source"] == "written" else "dashed"
        names = " -> ".join(json.dumps(edge[end]) for end in ("caller", "callee"))
        lines.append(f'  {names} [style={style}, label="{edge["confidence"]:.2f}"];')
    return "\n".join([*lines, "}"])


COMMANDS = (topology,)
