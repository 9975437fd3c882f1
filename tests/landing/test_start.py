"""Landing starts without loading what it does not need."""

import json
import subprocess
import sys
from pathlib import Path

from stackanalytics.testing import notification

LANDING = """
import sys
from stackanalytics.landing import land
from stackanalytics.sources import files

landed = land(files.read(sys.argv[2:]), sys.argv[1])
print(landed.notifications, landed.duplicates, landed.dead_letters, "pandas" in sys.modules)
"""


def test_pandas_is_not_loaded(tmp_path: Path) -> None:
    """Rows of several days, repeated messages and dead letters land without pandas, whose import takes long."""
    days = [notification("compute.instance.update", f"2026-03-0{day} 10:00", message_id=str(day)) for day in (2, 3)]
    lines = [json.dumps(message) for message in (*days, days[0])]
    (tmp_path / "messages.jsonl").write_text("\n".join([*lines, "nonsense"]))
    command = [sys.executable, "-c", LANDING, str(tmp_path / "lake"), str(tmp_path / "messages.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "1", "1", "False"]
