"""The spec in force: read at start, watched, read again when it changes, and kept when the new one is bad."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from traffic_mirror.edge.program import load_spec
from traffic_mirror.edge.refusal import problems_of
from traffic_mirror.edge.summary import size_words
from traffic_mirror.edge.watch import fingerprint
from traffic_mirror.rules import RuleSet
from traffic_mirror.spec.model import Spec
from traffic_mirror.spec.problems import SpecError
from traffic_mirror.wire.frames import SpecState

logger = logging.getLogger("traffic_mirror")

_LOOK_FOR_CHANGES = 1.0  # seconds
_MAX_PROBLEMS = 200  # that a refused reload tells: the proxy is at work meanwhile


class SpecInForce:
    """Whole or not at all. The constructor reads the first spec, and raises SpecError or OSError.

    `on_new` gets each changed one that comes into force, `on_refused` the state with a bad one's problems.
    """

    def __init__(
        self, path: Path, on_new: Callable[[Spec, RuleSet], None], on_refused: Callable[[SpecState], None]
    ) -> None:
        self._path = path
        self._on_new = on_new
        self._on_refused = on_refused
        self._seen = fingerprint(path)
        self.spec, self.rules = load_spec(path)
        self.state = SpecState(str(path), time.time(), True)
        logger.info("mirror: loaded %s: %s", path, size_words(self.spec))

    def move(self, path: Path) -> None:
        """Reads another file from now on. Raises SpecError or OSError, and stays where it was.

        After a refusal mitmproxy says what held before again: that is no other file.
        """
        if path == self._path:
            return
        seen = fingerprint(path)
        compiled = load_spec(path)
        self._path, self._seen = path, seen
        self._accept(*compiled)

    def reload(self) -> tuple[str, ...]:
        """Reads the file again, now; its problems, none when it is in force."""
        self._seen = fingerprint(self._path)
        try:
            compiled = load_spec(self._path)
        except (SpecError, OSError) as error:
            self._refuse(error)
        else:
            self._accept(*compiled)
        return self.state.problems

    def reload_soon(self) -> None:
        """Has the watcher read the file again, in its thread and at most once a second."""
        self._seen = ()

    async def watch(self) -> None:
        """Reloads a changed file. It is read and compiled in a thread, so that traffic goes on meanwhile."""
        while True:
            await asyncio.sleep(_LOOK_FOR_CHANGES)
            path = self._path
            now = await asyncio.to_thread(fingerprint, path)
            if now == self._seen:
                continue
            self._seen = now
            try:
                compiled = await asyncio.to_thread(load_spec, path)
            except (SpecError, OSError) as error:
                self._refuse(error)
            except Exception:
                logger.exception("mirror: the changed spec can't be read, the old one stays in force")
            else:
                self._accept(*compiled)

    def _accept(self, spec: Spec, rules: RuleSet) -> None:
        self.spec, self.rules = spec, rules
        self.state = SpecState(str(self._path), time.time(), True)
        logger.info("mirror: reloaded %s: %s", self._path, size_words(spec))
        self._on_new(spec, rules)

    def _refuse(self, error: SpecError | OSError) -> None:
        problems = _readable(problems_of(error))
        self.state = SpecState(self.state.file, self.state.loaded_at, False, problems)
        logger.error(
            "mirror: the changed spec is refused, the old one stays in force:\n%s", "\n".join(problems)
        )
        self._on_refused(self.state)


def _readable(problems: tuple[str, ...]) -> tuple[str, ...]:
    """The first problems, and how many there are beyond them."""
    more = len(problems) - _MAX_PROBLEMS
    if more <= 0:
        return problems
    return (*problems[:_MAX_PROBLEMS], f"{more} more; `python -m traffic_mirror check` tells them all")
