"""Connections to the state of a lake, in SQLite."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def connected(path: Path, *, writes: bool = False) -> Iterator[sqlite3.Connection]:
    """Connect to the state at *path*; transactions are begun by whoever asks.

    What those write who say so is on disk once it is committed.
    """
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    try:
        if writes:
            connection.execute("pragma synchronous = full")
        yield connection
    finally:
        connection.close()
