"""Reads what is deployed. git itself is not needed: what a checkout is at stands in small files."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import dotenv_values

from firstcause import Findings, Reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firstcause_deployment import App

_DIST_INFO = re.compile(r"(?P<name>[^-]+(?:-[^-]+)*?)-(?P<version>[^-]+)\.dist-info")
_MOST_PACKAGES = 500
_SHORT = 12


def look(app: App) -> Reading:
    found = Findings()
    if commit := _named_commit(app):
        found.measure("commit", commit)
    elif app.repository is not None:
        _repository(found, Path(app.repository))
    if app.packages is not None:
        _packages(found, Path(app.packages))
    for path in app.files:
        _file(found, Path(path))
    found.answered()
    read = found.data.get("commit")
    return found.reading(f"at {str(read)[:_SHORT]}" if read else "read")


def _named_commit(app: App) -> str | None:
    values = dict(dotenv_values(app.env_file)) if app.env_file is not None else dict(os.environ)
    return next((value for name in app.commit_env if (value := values.get(name))), None)


def _repository(found: Findings, folder: Path) -> None:
    try:
        git = _git_folder(folder)
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        found.degraded(f"{folder} is no git checkout that can be read: {type(error).__name__}")
        return
    if not head.startswith("ref: "):
        found.measure("commit", head)
        return
    name = head.removeprefix("ref: ")
    found.measure("branch", name.removeprefix("refs/heads/"))
    found.measure("commit", _commit_of(git, name))


def _git_folder(folder: Path) -> Path:
    """`.git`, or where the file `.git` of a further worktree says that it is."""
    git = folder / ".git"
    if git.is_file():
        return folder / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
    return git


def _commit_of(git: Path, name: str) -> str | None:
    common = git / "commondir"
    shared = git / common.read_text(encoding="utf-8").strip() if common.is_file() else git
    for folder in (git, shared):
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8").strip()
    packed = shared / "packed-refs"
    if packed.is_file():
        for line in packed.read_text(encoding="utf-8").splitlines():
            if line.endswith(f" {name}"):
                return line.partition(" ")[0]
    return None


def _packages(found: Findings, folder: Path) -> None:
    versions = dict(sorted(_versions(folder)))
    if not versions:
        found.degraded(f"no installed packages in {folder}")
        return
    whole = hashlib.sha256(repr(versions).encode()).hexdigest()
    found.measure("packages", whole[:_SHORT])
    for name in list(versions)[:_MOST_PACKAGES]:
        found.measure(f"package.{name}", versions[name])


def _versions(folder: Path) -> Iterator[tuple[str, str]]:
    for each in folder.glob("*.dist-info"):
        if parts := _DIST_INFO.fullmatch(each.name):
            yield parts["name"].lower().replace("_", "-"), parts["version"]


def _file(found: Findings, path: Path) -> None:
    name = f"file.{path.name}"
    try:
        found.measure(name, hashlib.sha256(path.read_bytes()).hexdigest()[:_SHORT])
    except FileNotFoundError:
        found.measure(name, "absent")
    except OSError as error:
        found.degraded(f"{path} cannot be read: {error.strerror}")
