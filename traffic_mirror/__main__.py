"""The command line: `python -m traffic_mirror check | explain | report`."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence

from traffic_mirror import __version__

COMMANDS = {
    "check": "say whether specs are valid, or everything that is wrong with them",
    "explain": "say which rule takes a request, why the others do not, and what its copies look like",
    "report": "sum up a results file, as text, JSON, JUnit or Markdown",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code. Only that command's module is imported."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog="python -m traffic_mirror", description="Tools for traffic mirror specs and their results."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    wanted = next((argument for argument in arguments if argument in COMMANDS), "")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name == wanted:
            module = importlib.import_module(f"traffic_mirror.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    return int(options.run(options))


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):  # Windows has none
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `… | head` ends it without a traceback
    sys.exit(main())
