"""The lake as it is now, for everything that stays open while notifications are landed."""

import logging
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from stackanalytics.lake import Lake, open_lake

_log = logging.getLogger(__name__)

INTERVAL_S = 0.5


class CurrentLake:
    """A lake at its newest version: call it to get that.

    A thread of its own looks for a newer version again and again. A ``Lake`` that was given out
    stays as it is, and usable, for as long as somebody holds it: its query engine is closed with
    the last reference to it.
    """

    def __init__(self, path: Path | str, *, interval_s: float = INTERVAL_S) -> None:
        """Open the lake in the folder *path*; look for a newer version every *interval_s* seconds."""
        self._lake = open_lake(path)
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="current-lake", daemon=True)

    def __call__(self) -> Lake:
        """Return the lake at the newest version that is known."""
        return self._lake

    def __enter__(self) -> Self:
        """Follow the lake in a ``with`` block."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Follow it no longer."""
        self._is_closed.set()
        self._thread.join()

    def look(self) -> None:
        """Look for a newer version now.

        Raises
        ------
        LakeError
            If the newer version cannot be read; the former one stays.
        """
        with self._lock:
            self._lake = self._lake.refresh()

    def _follow(self) -> None:
        while not self._is_closed.wait(self._interval_s):
            try:
                self.look()
            except Exception:  # noqa: BLE001  # whatever it is, the server goes on with what it has
                _log.exception("staying at %s", self._lake)
