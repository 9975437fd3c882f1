"""What was landed: messages as a source yields them, and rows as a lake holds them."""

import json
from pathlib import Path
from typing import Any, TypeAlias

from stackanalytics import open_lake

Rows: TypeAlias = list[dict[str, Any]]


def encoded(message: object) -> bytes:
    """Return a message as a source yields it."""
    if isinstance(message, bytes):
        return message
    return (message if isinstance(message, str) else json.dumps(message)).encode()


def rows_in(folder: Path, table: str = "notifications") -> Rows:
    """Return all rows of a table of the lake in *folder*, in order of landing."""
    order = "id" if table == "notifications" else "landed_at, origin"
    with open_lake(folder) as lake:
        return lake.sql(f"select * from {table} order by {order}").to_dicts()
