"""The simulated cloud that everything is measured on, as large as the wanted number of rows."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import stackanalytics as sa
from stackanalytics import times
from stackanalytics.sources.simulator import Cloud, simulate

DAYS = 31
HOURS = DAYS * 24
PER_INSTANCE = 5_000  # notifications of a month for each standing instance: one in seven is an audit
PER_HOST = 5  # instances on a compute host
PER_OPERATION = 9.5  # notifications that an operation causes, on average
SAMPLE_ROWS = 100_000
SAMPLE_START = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Workload:
    """How much to measure, and where."""

    rows: int
    folder: Path
    lake: Path

    @classmethod
    def of(cls, rows: int, folder: Path, lake: Path | None) -> Self:
        """Measure so many rows, or as many as there are in a *lake* that is there already."""
        workload = cls(rows, folder, lake or folder / "lake")
        if not workload.has_lake:
            return workload
        with sa.open_lake(workload.lake) as opened:
            return replace(workload, rows=opened.info().row(0, named=True)["rows"])

    @property
    def sample_rows(self) -> int:
        """How many notifications stand for all of them where files of JSON are needed."""
        return min(self.rows, SAMPLE_ROWS)

    @property
    def has_lake(self) -> bool:
        """Whether the lake is there already."""
        return (self.lake / "notifications").is_dir()

    def settings(self) -> dict[str, float]:
        """Return the settings of a cloud that sends so many notifications within a month, give or take a day."""
        instances = max(1, self.rows // PER_INSTANCE)
        audits = instances + Cloud.images
        operations = max(0, self.rows / HOURS - audits) / PER_OPERATION
        return {
            "instances": instances,
            "hosts": max(1, instances // PER_HOST // 2),  # in each of two cells
            "operations_per_hour": round(operations, 1),
        }

    def cloud(self, *, form: str, format: str = "legacy") -> Cloud:
        """Return the cloud, for samples of what it sends."""
        return Cloud(start=SAMPLE_START, form=form, format=format, **self.settings())  # type: ignore[arg-type]  # ints where ints belong

    def arguments(self) -> list[object]:
        """Return the arguments of ``simulate`` for all rows of a month that goes on until about tomorrow."""
        start = times.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=DAYS - 1)
        words: list[object] = ["--start", start.strftime("%Y-%m-%dT%H:%M:%S"), "--count", self.rows]
        for name, value in self.settings().items():
            words += ["--" + name.replace("_", "-"), value]
        return words


def write_sample(cloud: Cloud, count: int, path: Path) -> None:
    """Write the first messages of a cloud as JSON lines."""
    with open(path, "wb") as target:
        target.writelines(message + b"\n" for message in simulate(cloud, count=count))
