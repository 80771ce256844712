"""The direction imports run in: spec → rules, copies, compare → wire → worker | edge → mirror_addon.py."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "traffic_mirror"

PURE = {"spec", "rules", "copies", "compare", "ledger", "masking"}
MAY_IMPORT = {
    "masking": set[str](),
    "ledger": set[str](),
    "spec": {"masking"},
    "copies": {"spec", "masking"},
    "rules": {"spec", "copies"},
    "compare": {"spec", "copies", "masking"},
    "wire": PURE,
    "worker": PURE | {"wire"},
    "edge": PURE | {"wire"},
}
EVERY_PART = {path.stem for path in PACKAGE.iterdir() if path.stem.isidentifier()}
ADDON = {"edge"}
COMMAND_LINE = EVERY_PART - {"worker"}  # of the edge only its filters, and only when a spec has some


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(module: str) -> str:
    """The part of the package a module belongs to, empty outside."""
    names = module.split(".")
    return names[1] if names[0] == "traffic_mirror" and len(names) > 1 else ""


def sources() -> list[Path]:
    return [*sorted(PACKAGE.rglob("*.py")), ROOT / "mirror_addon.py"]


@pytest.mark.parametrize("file", sources(), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_imports_only_what_comes_before_it(file: Path) -> None:
    names = file.relative_to(ROOT).with_suffix("").parts
    part = names[1] if len(names) > 1 else ""
    allowed = {part} | (MAY_IMPORT.get(part, COMMAND_LINE) if part else ADDON)
    used = {part_of(module) for module in imports(file)} & EVERY_PART
    assert used <= allowed, f"{file.name} imports {sorted(used - allowed)}"


@pytest.mark.parametrize("file", sources(), ids=lambda file: str(file.relative_to(ROOT)))
def test_only_the_edge_imports_mitmproxy(file: Path) -> None:
    inside = file.name == "mirror_addon.py" or file.relative_to(ROOT).parts[1] == "edge"
    used = [module for module in imports(file) if module.split(".")[0] == "mitmproxy"]
    assert inside or not used, f"{file.name} imports {used}"


@pytest.mark.parametrize("module", ["traffic_mirror.worker.__main__", "traffic_mirror.__main__"])
def test_a_process_without_mitmproxy_never_loads_it(module: str) -> None:
    program = f"import sys, {module}; sys.exit('mitmproxy' in sys.modules and 'mitmproxy was loaded')"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
