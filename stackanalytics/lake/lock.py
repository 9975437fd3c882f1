"""The lake's locks, over all processes: one commit at a time, one verification of a service at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMITTING, VERIFYING = ".lock", ".verifying-"


@contextmanager
def exclusive(folder: Path, name: str = COMMITTING) -> Iterator[None]:
    """Hold a lock of the lake in *folder*; the kernel releases it when a process dies."""
    handle = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def is_held(folder: Path, name: str) -> bool:
    """Tell whether anybody holds a lock of the lake in *folder*."""
    try:
        handle = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def sync(path: Path) -> None:
    """Have the file or folder at *path* on disk before going on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
