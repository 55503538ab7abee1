"""Reads which of the catalogued variables the application has set. Values are read only to mask them."""

from __future__ import annotations

import hmac
import logging
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from dotenv import dotenv_values

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from firstcause.config import Settings

log = logging.getLogger("firstcause.health")

_KEY_FILE = "checksum.key"
_KEY_BYTES = 32


def locate_env_file(settings: Settings) -> Path | None:
    """The application's dotenv file, [health] env_file; None where none is configured."""
    configured = settings.health.env_file
    return None if configured is None else settings.folder / configured


def read_presence(names: Iterable[str], env_file: Path | None) -> dict[str, bool]:
    """Return by name whether the application's dotenv file sets the variable to something.

    Empty without a file, and where the file cannot be read, which says nothing about its content. Our own
    environment is not the application's, so it does not count.
    """
    if env_file is None:
        return {}
    values = _read_values(env_file)
    return {} if values is None else {name: bool(values.get(name)) for name in sorted(names)}


def compute_checksums(names: Iterable[str], env_file: Path | None, key: bytes) -> dict[str, str]:
    """Return by name the first 12 hex digits of the HMAC-SHA256 of a variable's value in the dotenv file.

    Equal values have equal checksums, and nobody without the key can try values out. Variables that are not
    set are left out. Empty without a file, and where the file cannot be read.
    """
    values = (None if env_file is None else _read_values(env_file)) or {}
    return {
        name: hmac.new(key, f"{name}={value}".encode(), "sha256").hexdigest()[:12]
        for name in sorted(names)
        if (value := values.get(name))
    }


def load_checksum_key(folder: Path) -> bytes | None:
    """Load the key of the checksums; create it on first use. None where the folder cannot hold the file."""
    path = folder / _KEY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            # Only the owner may read the file, from the moment of its creation.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(descriptor, secrets.token_bytes(_KEY_BYTES))
            os.close(descriptor)
        key = path.read_bytes()
    except OSError as error:
        log.warning("Checksum key %s cannot be used, settings have no checksums: %s", path, error.strerror)
        return None
    return key if len(key) == _KEY_BYTES else None


def read_secret_values(names: Iterable[str], env_file: Path | None) -> list[str]:
    """Return the values of these variables in the dotenv file and in our environment, for masking."""
    values = (None if env_file is None else _read_values(env_file)) or {}
    visible_values = [value for name in names for value in (values.get(name), os.environ.get(name)) if value]
    return sorted(set(visible_values))


def read_file_stamp(env_file: Path | None) -> tuple[int, ...] | None:
    """Return a stamp that differs after the file has changed; None where there is no file."""
    if env_file is None:
        return None
    try:
        file_status = env_file.stat()
    except OSError:
        return None
    return file_status.st_mtime_ns, file_status.st_size, file_status.st_ino


def _read_values(env_file: Path) -> dict[str, str | None] | None:
    """Return what the file sets: nothing where it does not exist, None where it cannot be read."""
    try:
        return dotenv_values(env_file) if env_file.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        log.warning("[health] env_file %s cannot be read: %s", env_file, type(error).__name__)
        return None
