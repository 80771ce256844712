"""How a mistake is said: in full in the log, in short where there is one line, and as the program's end."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import NoReturn

from mitmproxy import ctx, exceptions

from traffic_mirror.spec.problems import SpecError

logger = logging.getLogger("traffic_mirror")


def problems_of(error: Exception) -> tuple[str, ...]:
    """Every problem that `error` tells, a line each."""
    if isinstance(error, SpecError):
        return tuple(str(problem) for problem in error.problems)
    return (str(error),)


def refuse(error: Exception) -> NoReturn:
    """Ends the program over a mistake. A proxy that already runs goes on: there OptionsError tells it."""
    if _is_serving():
        raise exceptions.OptionsError(_first_words(error)) from error
    _say_and_exit(error)


async def exit_in_the_end(code: int) -> None:
    """Gives the program its exit code, for which mitmproxy has no way once it runs: when everything is done,
    the loop cancels what is left."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        sys.exit(code)


def _first_words(error: Exception) -> str:
    """The first problem, and how many more there are."""
    problems = problems_of(error)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return problems[0] + more


def _is_serving() -> bool:
    """Whether the proxy already runs: then a mistake is refused; before, it ends the program."""
    server = ctx.master.addons.get("proxyserver")
    return server is None or server.is_running


def _say_and_exit(error: Exception) -> NoReturn:
    """Ends the program with every problem said. SystemExit passes through mitmproxy's script loader."""
    text = "\n".join(problems_of(error))
    logger.error("mirror: can't start:\n%s", text)
    if ctx.master.addons.get("termlog") is None:
        print(text, file=sys.stderr)  # noqa: T201 - the console shows no log before it runs
    sys.exit(1)
