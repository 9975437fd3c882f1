"""The sample data are what their description says."""

import gzip
import re
import shlex
from pathlib import Path

from click.testing import CliRunner

from stackanalytics.surfaces.cli import cli

SAMPLE = Path(__file__).parent.parent / "data" / "sample"
NOTIFICATIONS = SAMPLE / "notifications.jsonl.gz"
LARGEST_BYTES = 400_000


def test_documented_command_makes_the_sample(tmp_path: Path) -> None:
    """The command in the description makes the notifications that are there, to the byte."""
    found = re.search(r"^stackanalytics (simulate .*) --out \S+$", (SAMPLE / "README.md").read_text(), re.MULTILINE)
    assert found is not None
    made = tmp_path / "made.jsonl.gz"

    ran = CliRunner().invoke(cli, [*shlex.split(found[1]), "--out", str(made)])

    assert ran.exit_code == 0, ran.output
    assert gzip.decompress(made.read_bytes()) == gzip.decompress(NOTIFICATIONS.read_bytes())


def test_sample_is_small() -> None:
    """The sample is committed, so it must not grow the repository."""
    assert NOTIFICATIONS.stat().st_size < LARGEST_BYTES
