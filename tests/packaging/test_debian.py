"""The Debian package is built from a venv, installed into a folder of its own, and runs from there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg is not installed"),
]


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pack a venv that shares this environment's libraries."""
    folder = tmp_path_factory.mktemp("deb")
    venv = folder / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    (site,) = venv.glob("lib/python*/site-packages")
    shared = [sysconfig.get_path("purelib"), str(CHECKOUT / "engine"), str(CHECKOUT / "plugins")]
    (site / "shared.pth").write_text("\n".join(dict.fromkeys([*shared, *filter(os.path.isdir, sys.path)])))
    script = venv / "bin/firstcause"
    script.write_text(f"#!{venv}/bin/python\nfrom firstcause.cli import main\nmain()\n")
    run("sh", CHECKOUT / "packaging/debian/build", folder / "out", VENV=str(venv), PYTHON=sys.executable)
    (built,) = (folder / "out").glob("firstcause_*.deb")
    return built


def test_it_holds_the_unit_the_program_and_a_configuration_that_upgrades_keep(package: Path) -> None:
    listed = run("dpkg-deb", "--contents", package)
    for path in (
        "./opt/firstcause/bin/firstcause",
        "./usr/bin/firstcause",
        "./lib/systemd/system/firstcause.service",
        "./etc/firstcause/config.toml",
    ):
        assert path in listed
    assert "root/root" in listed
    assert run("dpkg-deb", "--field", package, "Depends").startswith("python3 (>= 3.")
    extracted = package.parent / "control"
    run("dpkg-deb", "--control", package, extracted)
    assert (extracted / "conffiles").read_text() == "/etc/firstcause/config.toml\n"
    for script in ("postinst", "prerm", "postrm"):
        run("sh", "-n", extracted / script)


@pytest.mark.skipif(os.geteuid() != 0, reason="dpkg installs only for root")
def test_it_is_installed_and_runs_and_an_upgrade_keeps_what_was_edited(package: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "var/lib/dpkg").mkdir(parents=True)
    for name in ("status", "available"):
        (root / "var/lib/dpkg" / name).touch()
    for name in ("updates", "info"):
        (root / "var/lib/dpkg" / name).mkdir()
    # The scripts would talk to this machine's systemd; its dependencies are not in the empty folder.
    install = [
        "dpkg",
        f"--root={root}",
        "--force-script-chrootless",
        "--force-depends",
        "--force-confold",
        "-i",
    ]
    run(*install, package)
    assert "install ok installed" in (root / "var/lib/dpkg/status").read_text()
    script = root / "opt/firstcause/bin/firstcause"
    assert script.read_text().startswith("#!/opt/firstcause/bin/python\n")
    config = root / "etc/firstcause/config.toml"
    assert 'url = "sqlite:////var/lib/firstcause/firstcause.db"' in config.read_text()
    version = run(root / "opt/firstcause/bin/python", "-m", "firstcause", "--version")
    assert "version" in version
    config.write_text("# mine\n")
    run(*install, package)
    assert config.read_text() == "# mine\n"
