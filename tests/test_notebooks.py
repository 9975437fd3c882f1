"""The notebooks: each runs from its beginning to its end and shows what it showed when it was written."""

import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
LARGEST_BYTES = 400_000


def notebooks() -> list[Path]:
    """Return all notebooks."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    """The tests below find what they are to test."""
    assert notebooks()


@pytest.mark.parametrize("notebook", notebooks(), ids=lambda notebook: notebook.stem)
def test_notebook_runs_and_shows_the_same(notebook: Path) -> None:
    """A notebook runs without an error, its assertions hold, and its tables are those it was saved with."""
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "-q"]

    ran = subprocess.run([*command, notebook.name], cwd=NOTEBOOKS, capture_output=True, text=True)

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("notebook", notebooks(), ids=lambda notebook: notebook.stem)
def test_notebook_is_small(notebook: Path) -> None:
    """A notebook is saved without bulky outputs, so that the repository stays small."""
    assert notebook.stat().st_size < LARGEST_BYTES
