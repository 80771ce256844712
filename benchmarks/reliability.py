"""`make reliability`: runs the fault tests and a soak, and writes what held to `docs/reliability.md`.

`python -m benchmarks.reliability SECONDS`, the soak's; 0 leaves the soak out, and what was written of it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.cores import plan_cores
from benchmarks.machine import describe_machine
from benchmarks.processes import ROOT

PAGE = ROOT / "docs" / "reliability.md"

Note = Mapping[str, Any]

_OWN_TABLE = ("destination", "worker")


def main(arguments: list[str]) -> int:
    """Runs and writes; the tests' exit status, or the soak's."""
    seconds = float(arguments[0]) if arguments else 300.0
    with tempfile.TemporaryDirectory(prefix="mirror-reliability-") as folder:
        notes, soak = Path(folder) / "notes", Path(folder) / "soak.json"
        notes.touch()
        status = subprocess.call(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/faults"],
            cwd=ROOT,
            env={**os.environ, "MIRROR_RELIABILITY": str(notes)},
        )
        if status:
            return status
        page = PAGE.read_text()
        read = [json.loads(line) for line in notes.read_text().splitlines()]
        page = replace_part(page, "faults", render_faults(read))
        if seconds:
            command = [sys.executable, "-m", "benchmarks.soak", str(seconds), "--json", str(soak)]
            status = subprocess.call(command, cwd=ROOT)
            if soak.exists():
                page = replace_part(page, "soak", render_soak(json.loads(soak.read_text())))
        PAGE.write_text(page)
    return status


def replace_part(page: str, name: str, text: str) -> str:
    """The page with what stands between `<!-- name -->` and `<!-- /name -->` replaced."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.S)
    if not pattern.search(page):
        raise ValueError(f"found no {begin} in the page, expected one")
    return pattern.sub(lambda found: found[1] + text.strip() + "\n" + found[2], page)


def render_faults(notes: Iterable[Note]) -> str:
    """The tables: what was tried, how its copies ended, what it cost and how it recovered."""
    notes = list(notes)
    parts = [f"Run on {_today()}, {_machine()}."]
    destination = [note for note in notes if note["kind"] == "destination"]
    parts.append(
        _table(
            (
                "The destination …",
                "copies ended",
                "requests until it got copies again",
                "memory: proxy, worker",
            ),
            ((n["scenario"], n["ended"], n.get("recovered", "–"), _memory(n)) for n in destination),
        )
    )
    worker = [note for note in notes if note["kind"] == "worker"]
    parts.append(
        _table(
            ("The worker …", "clients answered meanwhile", "copies counted as lost", "how it went on"),
            ((n["scenario"], _all(n), n.get("lost", "–"), _went_on(n)) for n in worker),
        )
    )
    others = [note for note in notes if note["kind"] not in _OWN_TABLE]
    parts.append(_table(("Also tried", "what came of it"), ((n["scenario"], _came_of(n)) for n in others)))
    return "\n\n".join(parts)


def render_soak(soak: Mapping[str, Any]) -> str:
    """The soak's figures."""
    seconds, requests = soak["seconds"], soak["requests"]
    came_of = f"{requests:,} requests in {seconds:.0f} s ({requests / seconds:,.0f}/s)"
    lines = [
        f"Run on {_today()}, {_machine()}: {came_of}, {soak['failed_requests']} failed.",
        "",
        _table(
            ("", "most in the first minute", "most in the last"),
            (
                (name, f"{first:.0f} MiB", f"{last:.0f} MiB")
                for name, first, last in zip(("proxy", "worker"), soak["first"], soak["last"], strict=True)
            ),
        ),
        "",
        f"    {soak['ledger']}",
        "",
        *(soak["problems"] or ["Bounded, and every copy is counted."]),
    ]
    return "\n".join(lines)


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _memory(note: Note) -> str:
    if "memory" not in note:
        return "–"
    return ", ".join(f"{mib:+.0f} MiB" for mib in note["memory"])


def _all(note: Note) -> str:
    return f"all {note['clients']}" if "clients" in note else "–"


def _went_on(note: Note) -> str:
    if "recovered" in note:
        return f"{note['recovered']} requests until copies arrived again"
    if note.get("exact"):
        return "the sum is exact"
    return str(note.get("ended", "by itself"))


def _came_of(note: Note) -> str:
    said = [str(note["ended"])] if "ended" in note else []
    if "clients" in note:
        said.append(f"all {note['clients']} clients answered")
    if note.get("exact"):
        said.append("the sum is exact")
    if "memory" in note:
        said.append(f"the proxy's memory {note['memory'][0]:+.0f} MiB")
    return "; ".join(said)


def _today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d")


def _machine() -> str:
    machine = describe_machine(plan_cores())
    return f"{machine.cores} cores ({machine.cpu}), {machine.system}, Python {machine.python}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
