"""Reads what is deployed. git itself is not needed: small files hold the commit of a checkout.

Only where git keeps its references in a table (`reftable`) it is asked.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import dotenv_values

from firstcause import Findings, Reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firstcause_deployment import App

_DIST_INFO_PATTERN = re.compile(r"(?P<name>[^-]+(?:-[^-]+)*?)-(?P<version>[^-]+)\.dist-info")
_MAX_PACKAGES = 500
_SHORT_HASH_LENGTH = 12
_GIT_TIMEOUT_S = 5.0


def check_deployment(app: App) -> Reading:
    findings = Findings()
    if commit := _read_env_commit(app):
        findings.measure("commit", commit)
    elif app.repository is not None:
        _measure_repository(findings, Path(app.repository))
    if app.packages is not None:
        _measure_packages(findings, Path(app.packages))
    for path in app.files:
        _measure_file(findings, Path(path))
    findings.record_latency()
    measured_commit = findings.data.get("commit")
    return findings.reading(f"at {str(measured_commit)[:_SHORT_HASH_LENGTH]}" if measured_commit else "read")


def _read_env_commit(app: App) -> str | None:
    values = dict(dotenv_values(app.env_file)) if app.env_file is not None else dict(os.environ)
    return next((value for name in app.commit_env if (value := values.get(name))), None)


def _measure_repository(findings: Findings, folder: Path) -> None:
    try:
        git = _find_git_folder(folder)
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        findings.degraded(f"{folder} is not a readable git checkout: {type(error).__name__}")
        return
    if not head.startswith("ref: "):
        findings.measure("commit", head)
        return
    if (_find_shared_folder(git) / "reftable").is_dir():
        # HEAD then names a branch that is none, `.invalid`.
        _measure_by_git(findings, folder)
        return
    ref = head.removeprefix("ref: ")
    findings.measure("branch", ref.removeprefix("refs/heads/"))
    findings.measure("commit", _read_commit(git, ref))


def _measure_by_git(findings: Findings, folder: Path) -> None:
    def ask(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(  # noqa: S603 - the folder is the operator's, and an argument of its own
            command, capture_output=True, text=True, check=True, timeout=_GIT_TIMEOUT_S
        ).stdout.strip()

    try:
        commit = ask("rev-parse", "--verify", "HEAD")
        branch = ask("rev-parse", "--abbrev-ref", "HEAD")
    except (OSError, subprocess.SubprocessError) as error:
        reason = str(getattr(error, "stderr", "") or type(error).__name__).strip().partition("\n")[0]
        findings.degraded(
            f"the commit of {folder} is not known: its references are a reftable, which only git from 2.45 "
            f"on reads ({reason[:200]}); install it, or set one of commit_env"
        )
        return
    findings.measure("commit", commit)
    if branch != "HEAD":
        findings.measure("branch", branch)


def _find_git_folder(folder: Path) -> Path:
    """Find the folder `.git`, also of a worktree, whose file `.git` names it."""
    git = folder / ".git"
    if git.is_file():
        return folder / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
    return git


def _find_shared_folder(git: Path) -> Path:
    """Find the folder that a worktree shares with its repository."""
    file = git / "commondir"
    return git / file.read_text(encoding="utf-8").strip() if file.is_file() else git


def _read_commit(git: Path, ref: str) -> str | None:
    shared = _find_shared_folder(git)
    for folder in (git, shared):
        if (folder / ref).is_file():
            return (folder / ref).read_text(encoding="utf-8").strip()
    packed_refs = shared / "packed-refs"
    if packed_refs.is_file():
        for line in packed_refs.read_text(encoding="utf-8").splitlines():
            if line.endswith(f" {ref}"):
                return line.partition(" ")[0]
    return None


def _measure_packages(findings: Findings, folder: Path) -> None:
    versions = dict(sorted(_list_versions(folder)))
    if not versions:
        findings.degraded(f"no installed packages in {folder}")
        return
    digest = hashlib.sha256(repr(versions).encode()).hexdigest()
    findings.measure("packages", digest[:_SHORT_HASH_LENGTH])
    for name in list(versions)[:_MAX_PACKAGES]:
        findings.measure(f"package.{name}", versions[name])


def _list_versions(folder: Path) -> Iterator[tuple[str, str]]:
    for entry in folder.glob("*.dist-info"):
        if match := _DIST_INFO_PATTERN.fullmatch(entry.name):
            yield match["name"].lower().replace("_", "-"), match["version"]


def _measure_file(findings: Findings, path: Path) -> None:
    name = f"file.{path.name}"
    try:
        findings.measure(name, hashlib.sha256(path.read_bytes()).hexdigest()[:_SHORT_HASH_LENGTH])
    except FileNotFoundError:
        findings.measure(name, "absent")
    except OSError as error:
        findings.degraded(f"{path} cannot be read: {error.strerror}")
