"""Watches the spec's files: tells when any of them appeared, changed or went."""

from __future__ import annotations

from pathlib import Path

from traffic_mirror.spec.reader import spec_files

Fingerprint = tuple[tuple[str, int, int, int], ...]


def fingerprint(path: Path) -> Fingerprint:
    """Name, inode, size and time of change of a spec's file, or of every one in its directory.

    An editor's save may write in place or replace the file: either changes it. Empty when there is none.
    """
    try:
        files = spec_files(path) if path.is_dir() else [path]
    except OSError:  # it went meanwhile, or may not be read any more
        return ()
    return tuple(entry for file in files if (entry := _look(file)) is not None)


def _look(file: Path) -> tuple[str, int, int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return str(file), stat.st_ino, stat.st_size, stat.st_mtime_ns
