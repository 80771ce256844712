"""The command `check`: whether specs are valid, or everything that is wrong with them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from traffic_mirror.spec.model import Spec
from traffic_mirror.spec.problems import Problem, SpecError
from traffic_mirror.spec.reader import read_spec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("specs", metavar="SPEC", nargs="+", help="a spec: a file, or a directory of them")
    parser.add_argument("--json", action="store_true", help="print one JSON object with every problem")


def run(options: argparse.Namespace) -> int:
    """Checks each spec. 0: all are valid; 1: there are problems, on stderr (or in the JSON on stdout)."""
    problems: list[Problem] = []
    summaries: list[dict[str, Any]] = []
    for name in options.specs:
        try:
            spec = read_spec(Path(name), os.environ, check_filter)
        except SpecError as error:
            problems += error.problems
        else:
            summaries.append({"spec": name, **_counts(spec)})
    if options.json:
        shown = [{**msgspec.to_builtins(problem), "message": str(problem)} for problem in problems]
        result = {"valid": not problems, "specs": summaries, "problems": shown}
        sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.writelines(f"{_sentence(summary)}\n" for summary in summaries)
        sys.stderr.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


def check_filter(expression: str) -> str | None:
    """What is wrong with a filter expression; mitmproxy is imported only when a spec has one."""
    from traffic_mirror.edge.filters import check_filter as check  # noqa: PLC0415 - it takes half a second

    return check(expression)


def _counts(spec: Spec) -> dict[str, int]:
    return {
        "apis": len(spec.apis),
        "rules": sum(len(api.rules) for api in spec.apis),
        "destinations": len(spec.destinations),
    }


def _sentence(summary: dict[str, Any]) -> str:
    names = {"apis": "API", "rules": "rule", "destinations": "destination"}
    counts = [f"{summary[key]} {name}{'' if summary[key] == 1 else 's'}" for key, name in names.items()]
    return f"{summary['spec']}: valid, {', '.join(counts)}"
