"""Which of the catalogued settings the application has. Values are read only to be masked elsewhere."""

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
    """Name -> whether the application's dotenv file sets it to something.

    Empty where no file is named, and where it cannot be read, which is no word on what stands in it.
    Our own environment says nothing of the application's, so it is not asked.
    """
    if env_file is None:
        return {}
    values = _read_values(env_file)
    return {} if values is None else {name: bool(values.get(name)) for name in sorted(names)}


def compute_checksums(names: Iterable[str], env_file: Path | None, key: bytes) -> dict[str, str]:
    """Name -> the first 12 hex digits of HMAC-SHA256 of the value in the application's dotenv file.

    Two of the same value are alike, and nobody without the key can try values out. Variables that are not
    set are left out; empty where no file is named or it cannot be read.
    """
    values = (None if env_file is None else _read_values(env_file)) or {}
    return {
        name: hmac.new(key, f"{name}={value}".encode(), "sha256").hexdigest()[:12]
        for name in sorted(names)
        if (value := values.get(name))
    }


def load_checksum_key(folder: Path) -> bytes | None:
    """The key of our checksums, made when it is first asked for; None where the folder cannot hold it."""
    path = folder / _KEY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            # Only its owner may read it, from the first moment on.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(descriptor, secrets.token_bytes(_KEY_BYTES))
            os.close(descriptor)
        key = path.read_bytes()
    except OSError as error:
        log.warning("no checksums of settings, %s cannot be used: %s", path, error.strerror)
        return None
    return key if len(key) == _KEY_BYTES else None


def read_secret_values(names: Iterable[str], env_file: Path | None) -> list[str]:
    """The values of these variables wherever we can see them; nothing that we keep may contain one."""
    values = (None if env_file is None else _read_values(env_file)) or {}
    visible_values = [value for name in names for value in (values.get(name), os.environ.get(name)) if value]
    return sorted(set(visible_values))


def read_file_stamp(env_file: Path | None) -> tuple[int, ...] | None:
    """Another one where the file may have changed; None where there is none."""
    if env_file is None:
        return None
    try:
        file_status = env_file.stat()
    except OSError:
        return None
    return file_status.st_mtime_ns, file_status.st_size, file_status.st_ino


def _read_values(env_file: Path) -> dict[str, str | None] | None:
    """What the file sets, nothing where it is gone; None where it cannot be read."""
    try:
        return dotenv_values(env_file) if env_file.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        log.warning("[health] env_file %s cannot be read: %s", env_file, type(error).__name__)
        return None
