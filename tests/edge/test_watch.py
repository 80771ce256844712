"""The watcher's fingerprint changes with the spec, however it is saved, and with nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from traffic_mirror.edge.watch import fingerprint


def write_in_place(file: Path) -> None:
    file.write_text("a: 2 # longer")


def replace(file: Path) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text("a: 1")
    os.utime(fresh, ns=(1, 1))
    fresh.replace(file)


def touch(file: Path) -> None:
    os.utime(file, ns=(5, 5))


@pytest.mark.parametrize("save", [write_in_place, replace, touch, Path.unlink])
def test_a_save_changes_it(tmp_path: Path, save: Callable[[Path], None]) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("a: 1")
    of_file, of_directory = fingerprint(file), fingerprint(tmp_path)
    save(file)
    assert fingerprint(file) != of_file
    assert fingerprint(tmp_path) != of_directory


def test_a_directory_is_its_specs_and_nothing_else(tmp_path: Path) -> None:
    before = fingerprint(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".#spec.yaml").symlink_to("someone@somewhere.1234")
    (tmp_path / "._spec.yaml").write_text("x")
    (tmp_path / "spec.yaml").mkdir()
    assert fingerprint(tmp_path) == before
    (tmp_path / "more.yml").write_text("x: 1")
    assert fingerprint(tmp_path) != before


def test_a_missing_file_is_empty(tmp_path: Path) -> None:
    assert fingerprint(tmp_path / "none.yaml") == ()


def test_a_directory_that_can_t_be_read_is_empty(tmp_path: Path) -> None:
    class Unreadable(type(tmp_path)):  # type: ignore[misc]  # a directory that root, too, can't read
        def iterdir(self) -> None:
            raise PermissionError

    assert fingerprint(Unreadable(tmp_path)) == ()
