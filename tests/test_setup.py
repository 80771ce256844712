"""`make setup` on a newcomer's machine: which Python it takes, and what it says where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OLD = "case $2 in *venv*) exit 0;; *version_info\\ \\<*) exit 1;; *) echo 3.9.2;; esac"
BARE = "case $2 in *venv*) exit 1;; *version_info\\ \\<*) exit 0;; *) echo 3.13.1;; esac"
LEFT_OUT = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "PYTHON")
BROKEN = "echo 'pyenv: python3: command not found' >&2; exit 127"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing to install, so that setting up needs no network."""
    place = tmp_path / "a checkout"
    shutil.copytree(ROOT / "scripts", place / "scripts")
    shutil.copy(ROOT / "Makefile", place)
    for name in ("requirements.txt", "requirements-dev.txt"):
        (place / name).write_text("# nothing\n")
    return place


def setup(checkout: Path, *, pythons: dict[str, str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs `make setup` with these shell scripts on PATH as Pythons, and none of the system's."""
    programs = checkout.parent / "bin"
    programs.mkdir()
    for tool in ("sh", "make", "dirname", "find", "touch", "cat", "rm", "env"):
        where = shutil.which(tool)
        assert where, f"{tool} is not on PATH"
        (programs / tool).symlink_to(where)
    for name, script in pythons.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    env = {"PATH": str(programs), "HOME": str(checkout.parent), **variables}
    return subprocess.run(
        ["make", "setup"], cwd=checkout, env=env, capture_output=True, text=True, check=False
    )


def make(checkout: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """`make setup`, as from a shell: these tests may run under a `make` of their own."""
    if env is None:
        env = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    return subprocess.run(
        ["make", "setup"], cwd=checkout, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("pythons", "says"),
    [
        pytest.param({}, "No Python 3.12 or newer found", id="none"),
        pytest.param({"python3": OLD}, "python3: is Python 3.9.2", id="too-old"),
        pytest.param({"python3": BROKEN}, "python3: does not run", id="a-shim-that-fails"),
        pytest.param({"python3": BARE}, "apt-get install python3.13-venv", id="without-venv"),
        pytest.param({"python3": OLD}, "make setup PYTHON=", id="how-to-go-on"),
    ],
)
def test_without_a_python_that_does_it_says_what_it_found(
    checkout: Path, pythons: dict[str, str], says: str
) -> None:
    done = setup(checkout, pythons=pythons)
    assert done.returncode != 0
    assert says in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_python_named_wrongly_is_refused(checkout: Path) -> None:
    done = setup(checkout, pythons={}, PYTHON="/nowhere/python3")
    assert done.returncode != 0
    assert "PYTHON=/nowhere/python3 does not do" in done.stderr
    assert "/nowhere/python3: is not there" in done.stderr


def test_pyenv_s_versions_are_found_behind_a_shim_that_fails(checkout: Path) -> None:
    pyenv = checkout.parent / "pyenv"
    (pyenv / "versions" / "3.x" / "bin").mkdir(parents=True)
    (pyenv / "versions" / "3.x" / "bin" / "python3").symlink_to(sys.executable)
    done = setup(checkout, pythons={"python3": BROKEN}, PYENV_ROOT=str(pyenv))
    assert done.returncode == 0, done.stderr
    assert (checkout / ".venv" / ".installed").exists()


def test_a_second_setup_does_nothing(checkout: Path) -> None:
    first = setup(checkout, pythons={}, PYTHON=sys.executable)
    assert first.returncode == 0, first.stderr
    assert "installing" in first.stdout
    again = make(checkout)
    assert (again.returncode, again.stdout) == (0, ""), again.stderr


def test_changed_requirements_are_installed_again(checkout: Path) -> None:
    setup(checkout, pythons={}, PYTHON=sys.executable)
    stamp = (checkout / ".venv" / ".installed").stat().st_mtime
    os.utime(checkout / "requirements.txt", (stamp + 5, stamp + 5))
    again = make(checkout)
    assert "installing" in again.stdout, again.stderr


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_versions_are_pinned_and_no_index_is_named(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if "==" not in line] == (["-r requirements.txt"] if "dev" in name else [])
    assert not [line for line in lines if "://" in line or line.startswith("--")]


def test_make_alone_lists_the_targets() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("run", "test", "lint", "setup"):
        assert f"make {target} " in listed


def test_the_environment_has_the_package_wherever_it_is_used(checkout: Path) -> None:
    (checkout / "traffic_mirror").mkdir()
    (checkout / "traffic_mirror" / "__main__.py").write_text("print('here')\n")
    assert make(checkout).returncode == 0
    command = [str(checkout / ".venv" / "bin" / "python"), "-m", "traffic_mirror"]
    done = subprocess.run(command, cwd=checkout.parent, capture_output=True, text=True, check=False)
    assert done.stdout == "here\n", done.stderr
