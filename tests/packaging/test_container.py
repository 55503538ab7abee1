"""The container file and the compose file: what they name exists, and nothing runs as root."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from firstcause.config import Settings

CHECKOUT = Path(__file__).parents[2]
PACKAGING = CHECKOUT / "packaging"
LINES = (PACKAGING / "Containerfile").read_text().replace("\\\n", "").splitlines()


def find_instructions(name: str) -> list[str]:
    return [line.partition(" ")[2].strip() for line in LINES if line.startswith(f"{name} ")]


def test_the_last_stage_has_no_compiler_and_no_root() -> None:
    stages = [number for number, line in enumerate(LINES) if line.startswith("FROM ")]
    assert len(stages) == 2
    last = "\n".join(LINES[stages[1] :])
    assert "apt-get" not in last
    (user,) = find_instructions("USER")
    assert user not in {"0", "root"}
    (check,) = find_instructions("HEALTHCHECK")
    assert "/healthz" in check
    assert json.loads(check.partition("CMD ")[2])[0] == "python"


def test_its_extras_and_settings_exist() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    extras = re.search(r'"\.\[([a-z,]+)\]"', "\n".join(LINES))
    assert extras is not None
    assert set(extras[1].split(",")) <= project["optional-dependencies"].keys()
    assert "-DPyEval_CallObject=PyObject_CallObject" in "\n".join(LINES)


def test_compose_names_what_exists_and_trusts_the_proxys_network() -> None:
    compose = yaml.safe_load((PACKAGING / "compose.yaml").read_text())
    service, proxy = compose["services"]["firstcause"], compose["services"]["proxy"]
    assert (PACKAGING / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert (PACKAGING / proxy["volumes"][0].partition(":")[0]).is_file()
    (subnet,) = (one["subnet"] for one in compose["networks"]["front"]["ipam"]["config"])
    assert json.loads(service["environment"]["FIRSTCAUSE_WEB__TRUSTED_PROXIES"]) == [subnet]
    for variable in service["environment"]:
        section, key = variable.removeprefix("FIRSTCAUSE_").lower().split("__")
        assert key in type(getattr(Settings(), section)).model_fields
    named = {volume.partition(":")[0] for one in compose["services"].values() for volume in one["volumes"]}
    assert compose["volumes"].keys() == {name for name in named if not name.startswith(".")}
    assert service["cap_drop"] == ["ALL"]


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("podman") is None or shutil.which("buildah") is None, reason="podman is not installed"
)
def test_it_builds_and_runs() -> None:
    def run(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=CHECKOUT).stdout

    run("podman", "build", "-t", "firstcause-test", "-f", "packaging/Containerfile", ".")
    assert run("podman", "run", "--rm", "firstcause-test", "--version").startswith("firstcause")
