"""A recording that mitmproxy reads: whether it could be read to its end."""

from __future__ import annotations

import logging
from collections.abc import Callable

_READER = "mitmproxy.addons.readfile"


class ReadErrors(logging.Handler):
    """Hears of the reader's errors, which it tells nobody but the log; `failed` is called at the first."""

    def __init__(self, failed: Callable[[], None]) -> None:
        super().__init__(logging.ERROR)
        self._failed = failed
        self._heard = False

    def install(self) -> None:
        """Begins to listen."""
        logging.getLogger(_READER).addHandler(self)

    def uninstall(self) -> None:
        """Ends it."""
        logging.getLogger(_READER).removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Takes an error of the reader's."""
        del record
        if not self._heard:
            self._heard = True
            self._failed()
