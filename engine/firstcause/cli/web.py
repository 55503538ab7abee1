"""The command web password."""

from __future__ import annotations

import os
from pathlib import Path

import click

from firstcause.cli.common import echo, json_option, show_json
from firstcause.errors import ConfigError

_MIN_PASSWORD_LENGTH = 12


@click.group()
def web() -> None:
    """Manage access to the page."""


@web.command(epilog="Example: firstcause web password web-password")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default="web-password")
@click.password_option(prompt="New password for the page", help="Password. Default: ask for it.")
@json_option
def password(file: Path, password: str, *, as_json: bool) -> None:
    """Hash a password (argon2) into FILE, for [web] password_file."""
    from firstcause.web.sessions import hash_password

    if len(password) < _MIN_PASSWORD_LENGTH:
        msg = f"password is too short; use at least {_MIN_PASSWORD_LENGTH} characters, for example four words"
        raise click.BadParameter(msg, param_hint="--password")
    try:
        # Created with mode 0600, so that nobody else can read it even for a moment.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(f"{hash_password(password)}\n")
    except OSError as error:
        msg = f"{file} cannot be written: {error.strerror}; choose another file"
        raise ConfigError(msg) from None
    if as_json:
        show_json({"file": str(file)})
        return
    echo(f'wrote {file}; in config.toml: [web] password_file = "{file}"')


COMMANDS = (web,)
