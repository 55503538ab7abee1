"""What is deployed, read from real checkouts, folders of packages and files."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

import firstcause_deployment
from firstcause import Reading, Status

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *words: str) -> str:
    said = (
        "git",
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.org",
        "-c",
        "init.defaultBranch=main",
        *words,
    )
    return subprocess.run(said, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def look(**app: object) -> Reading:
    config = firstcause_deployment.Config.model_validate({"apps": {"shop": {"component": "shop"} | app}})
    (probe,) = firstcause_deployment.firstcause_probes(config)
    assert (probe.name, probe.component) == ("shop", "shop")
    return probe.check()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    made = tmp_path / "shop"
    made.mkdir()
    git(made, "init")
    (made / "app.py").write_text("pass")
    git(made, "add", ".")
    git(made, "commit", "-m", "first")
    return made


def test_the_commit_of_a_checkout_however_git_keeps_it(repository: Path, tmp_path: Path) -> None:
    first = look(repository=str(repository))
    commit = git(repository, "rev-parse", "HEAD")
    assert (first.status, first.data["commit"], first.data["branch"]) == (Status.UP, commit, "main")
    assert first.detail == f"at {commit[:12]}"
    git(repository, "pack-refs", "--all")
    assert look(repository=str(repository)).data["commit"] == commit
    git(repository, "worktree", "add", str(tmp_path / "other"), "-b", "feature/x")
    other = look(repository=str(tmp_path / "other"))
    assert (other.data["commit"], other.data["branch"]) == (commit, "feature/x")
    git(repository, "checkout", "--detach")
    detached = look(repository=str(repository))
    assert (detached.data["commit"], "branch" in detached.data) == (commit, False)
    git(repository, "commit", "--allow-empty", "-m", "second")
    assert look(repository=str(repository)).data["commit"] == git(repository, "rev-parse", "HEAD") != commit


def test_the_commit_that_the_platform_names_comes_first(repository: Path, tmp_path: Path) -> None:
    env_file = tmp_path / "app.env"
    env_file.write_text("RENDER_GIT_COMMIT=1f2e3d\nOTHER=secret\n")
    reading = look(repository=str(repository), env_file=str(env_file))
    assert reading.data == {"commit": "1f2e3d"}


def test_packages_and_files_by_version_and_checksum(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    for name in (
        "redis-5.0.1.dist-info",
        "ruamel.yaml-0.18.6.dist-info",
        "typing_extensions-4.12.dist-info",
        "redis",
    ):
        (site / name).mkdir(parents=True)
    settings = tmp_path / "settings.toml"
    settings.write_text("password = 'open-sesame'")
    reading = look(packages=str(site), files=[str(settings), str(tmp_path / "gone.toml")])
    assert reading.status is Status.UP
    assert {name: value for name, value in reading.data.items() if name.startswith("package.")} == {
        "package.redis": "5.0.1", "package.ruamel.yaml": "0.18.6", "package.typing-extensions": "4.12",
    }  # fmt: skip
    assert reading.data["file.gone.toml"] == "absent"
    assert "open-sesame" not in reading.model_dump_json()
    before = reading.data["file.settings.toml"]
    settings.write_text("password = 'other'")
    assert look(files=[str(settings)]).data["file.settings.toml"] != before


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    nothing = look(repository=str(tmp_path), packages=str(tmp_path), files=[str(tmp_path)])
    assert (nothing.status, nothing.code) == (Status.DEGRADED, None)
    said = " ".join([nothing.detail, *(each.detail for each in nothing.problems)])
    for words in ("not a readable git checkout", "no installed packages", "cannot be read"):
        assert words in said
