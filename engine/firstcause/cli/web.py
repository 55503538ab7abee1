"""web password."""

from __future__ import annotations

import os
from pathlib import Path

import click

from firstcause.errors import ConfigError

_MIN_PASSWORD_LENGTH = 12


@click.group()
def web() -> None:
    """What belongs to the page."""


@web.command(epilog="Example: firstcause web password web-password")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default="web-password")
@click.password_option(prompt="The password that the page asks for", help="Asked for where not given.")
def password(file: Path, password: str) -> None:
    """Write the argon2 hash of a password to FILE, for [web] password_file."""
    from firstcause.web.sessions import hash_password

    if len(password) < _MIN_PASSWORD_LENGTH:
        msg = f"at least {_MIN_PASSWORD_LENGTH} characters; four words will do"
        raise click.BadParameter(msg, param_hint="--password")
    try:
        # Only its owner may read it, from the first moment on.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(f"{hash_password(password)}\n")
    except OSError as error:
        msg = f"{file} cannot be written: {error.strerror}"
        raise ConfigError(msg) from None
    click.echo(f'wrote {file}; in config.toml: [web] password_file = "{file}"')


COMMANDS = (web,)
