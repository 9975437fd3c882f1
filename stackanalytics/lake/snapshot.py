"""A lake, read: one version of each table, queried with DuckDB."""

import re
import warnings
from collections.abc import Mapping, Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from tempfile import gettempdir
from threading import Lock
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import duckdb
import polars as pl
import pyarrow as pa

from stackanalytics.errors import DataError, InputError, LakeError
from stackanalytics.lake import delta, lookup, meter_view, usage_table, usage_view, view
from stackanalytics.lake.meter_definition import Definition, applies_to, definitions, digest
from stackanalytics.lake.meter_state import MeterState
from stackanalytics.lake.state import State
from stackanalytics.lake.statement import check_columns, check_reads, literal
from stackanalytics.lake.usage_state import UsageState
from stackanalytics.schema import INFO_FIELDS, NOTIFICATIONS, SAMPLES, TABLES, Table, polars_schema

KEPT_VIEWS = 64
FEW_ROWS = 2_000
_SETTINGS = (
    "set global TimeZone = 'UTC'",
    "set global parquet_metadata_cache = true",
)
# of what _look_up does on purpose
warnings.filterwarnings("ignore", message="Arrow output on a DB-API result", category=UserWarning)

_NOUNS = (*view.NOUNS, *usage_view.USAGE_NOUNS, *meter_view.METER_NOUNS)
_SAMPLES = re.compile(r"\bsamples\b", re.IGNORECASE)
_METADATA = re.compile(r"\bmetadata\b", re.IGNORECASE)
_HAS_PROGRESS_BAR = "select current_setting('enable_progress_bar')"


class Lake:
    """A lake at one version of each of its tables.

    Everything that a ``Lake`` answers comes from that version, whatever is landed or compacted
    meanwhile; :meth:`refresh` gives a ``Lake`` at the newest. Tenants, confirmations and repairs are
    read as they are at the moment, unless the lake was opened at a version that names theirs, or is
    :meth:`pinned`. It may be used from several threads.
    """

    def __init__(self, path: Path | str, *, version: Mapping[str, int] | None = None, has_nouns: bool = True) -> None:
        """Open the lake in the folder *path*, at its newest version or at a former ``lake.version``.

        Without its nouns it knows its tables only, and is open in half the time: for those who write.
        """
        self.path = Path(path)
        self.state = State(self.path)
        wanted, tables = dict(version or {}), delta.tables_in(self.path)
        self.is_pinned = version is not None
        as_of = {kind: wanted.pop(kind) for kind in usage_table.KINDS if kind in wanted}
        self.usage_state = UsageState(self.path, as_of=as_of)
        self.usage_state.check()
        self.meter_state = MeterState(self.path)
        # the last come first: what tables were derived from is then never older than they are
        opened = {
            table.name: delta.open_table(self.path, table, wanted.pop(table.name, None)) for table in reversed(tables)
        }
        self._tables = {table.name: opened[table.name] for table in tables}
        if wanted:
            known = sorted([*self._tables, *usage_table.KINDS])
            raise InputError(f"no tables {sorted(wanted)} in a lake; it has {known}")
        self.tables = {name: opened.version() for name, opened in self._tables.items()}
        self._files = {name: delta.files(opened) for name, opened in self._tables.items()}
        self.meters = definitions(self.path)
        self.derivation = self._derivation()
        self._engine = self._open_engine(has_nouns)
        self._views: dict[str, str] = {}
        self._keeping = Lock()

    def __repr__(self) -> str:
        """Name the folder and the versions."""
        return f"Lake({str(self.path)!r}, version={self.tables})"

    def __enter__(self) -> Self:
        """Use the lake in a ``with`` block, which closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the lake."""
        self.close()

    @property
    def version(self) -> dict[str, int]:
        """The version of each table, and of tenants, confirmations and repairs: :func:`open_lake` opens it again.

        Of the latter, unless the lake is pinned, it is that of the moment.
        """
        return {**self.tables, **self.usage_state.versions()}

    def pinned(self) -> "Lake":
        """Return this lake with tenants, confirmations and repairs, too, at the version of the moment.

        No verification is under way in it: records without a verdict are pending. It is open as long as
        this one.
        """
        if self.is_pinned:
            return self
        found = copy(self)
        found.usage_state = UsageState(self.path, as_of=self.usage_state.versions())
        found.is_pinned = True
        return found

    def close(self) -> None:
        """Let go of the query engine; the lake cannot be asked any more."""
        self._engine.close()

    def refresh(self) -> "Lake":
        """Return a lake at the newest version: this one, where nothing was landed since and it is not pinned."""
        if self.is_pinned:
            return Lake(self.path)
        for name, opened in self._tables.items():
            newest = delta.newest_version(self.path, name, opened.version())
            if newest != opened.version():
                return Lake(self.path)
        if len(delta.tables_in(self.path)) > len(self._tables):
            return Lake(self.path)
        return self

    def sql(
        self,
        query: str,
        parameters: Mapping[str, object] | None = None,
        *,
        holding: Mapping[str, str | int | range | Sequence[str] | None] | None = None,
        frames: Mapping[str, pl.DataFrame] | None = None,
        is_small: bool = False,
    ) -> pl.DataFrame:
        """Answer a query in DuckDB's SQL.

        Parameters
        ----------
        query
            SQL over the tables ``notifications``, ``dead_letters``, ``verifications`` and
            ``reconciliations``, and the nouns ``events``, ``timings``, ``launches``, ``deletes``, ``exists``,
            ``images``, ``image_deletes``, ``image_exists``, ``verdicts``, ``reconciles`` and ``samples``.
        parameters
            Values for ``$name`` in the query.
        holding
            What the query asks of the columns ``id``, ``instance``, ``request_id`` and ``resource`` of
            ``notifications``, null for anything, and a range for several ids: files known to have no such row are
            not opened; and of the column ``meter`` of ``samples``, one or several: other meters are not looked for.
            The query must ask it all the same.
        frames
            What else the query can ask, by the names that it gives them.
        is_small
            Whether the answer is: then it is planned once instead of twice, which takes milliseconds, but
            copied once more.

        Raises
        ------
        InputError
            If DuckDB does not accept the query, it is not one statement that reads, or the answer has a
            column that a frame cannot hold.
        LakeError
            If the data cannot be read.
        DataError
            If there is too little memory for it.
        """
        wanted: dict[str, Any] = {name: value for name, value in (holding or {}).items() if value is not None}
        with self._engine.cursor() as cursor:
            try:
                if _SAMPLES.search(query):
                    self._add_samples(cursor, query, wanted.pop("meter", None), frames or {})
                wanted.pop("meter", None)
                self._narrow(cursor, wanted)
                check_reads(query)
                for name, frame in (frames or {}).items():
                    cursor.register(name, frame.to_arrow())
                is_few = any(not isinstance(value, range) for value in wanted.values())
                answer = _look_up if is_small or is_few else _answer
                return answer(cursor, query, parameters)
            except duckdb.OutOfMemoryException as problem:
                advice = "Ask for fewer days or columns, or let the query count and sum"
                raise DataError(
                    f"the query needs more memory than it may have. {advice}. DuckDB: {problem}"
                ) from problem
            except (duckdb.IOException, OSError) as problem:
                raise LakeError(f"{self.path} cannot be read: {problem}") from problem
            except duckdb.Error as problem:
                raise InputError(f"DuckDB does not accept the query: {problem}") from problem

    def look_up(self, values: Mapping[str, str | int], columns: Sequence[str]) -> pl.DataFrame:
        """Return the notifications that have certain values, in any order.

        These are few: to plan a query for them takes DuckDB several times as long as polars takes to read them.

        Parameters
        ----------
        values
            What all of them have, in some of the columns ``id``, ``instance``, ``request_id`` and ``resource``.
        columns
            Columns of ``notifications`` to return.

        Raises
        ------
        LakeError
            If the data cannot be read.
        """
        wanted = [pl.col(name) == value for name, value in values.items()]
        try:
            parts = [_scan(path, rows, values.get("id")) for path, rows in self._holding(values).items()]
            if not parts:
                return pl.DataFrame(schema=polars_schema(*columns))
            return pl.concat(part.filter(wanted).select(columns) for part in parts).collect()
        except (OSError, pl.exceptions.ComputeError) as problem:
            raise LakeError(f"{self.path} cannot be read: {problem}") from problem

    def _derivation(self) -> meter_view.Derivation:
        stored = self._tables.get(SAMPLES.name)
        is_valid = stored is not None and delta.mark(stored, meter_view.DEFINITIONS) == digest(self.meters)
        last_id = delta.mark(stored, meter_view.DERIVED) if stored is not None and is_valid else 0
        is_complete = all(
            file.last_id is not None and file.last_id <= last_id for file in self.files(NOTIFICATIONS.name)
        )
        there = delta.last_id(self._tables[NOTIFICATIONS.name])
        return meter_view.Derivation(
            min(last_id, there), self.meter_state.stale() if last_id else {}, is_complete, is_ahead=there < last_id
        )

    @cached_property
    def useful_meters(self) -> list[Definition]:
        """The definitions of meters that notifications in the lake can be samples of: planning takes time for each."""
        with self._engine.cursor() as cursor:
            found = cursor.execute(meter_view.EVENT_TYPES).fetchall()
        event_types = [".".join(filter(None, told)) for told in found]
        return [definition for definition in self.meters if applies_to(definition, event_types)]

    def _add_samples(
        self,
        cursor: duckdb.DuckDBPyConnection,
        query: str,
        meter: str | Sequence[str] | None,
        frames: Mapping[str, pl.DataFrame],
    ) -> None:
        """Have one cursor know the samples, which it asks for: the view is so large that making it takes time."""
        overrides, hidden = self.meter_state.decided()
        samples = meter_view.samples_view(
            self.useful_meters,
            self.derivation,
            overrides=overrides,
            hidden=hidden,
            of_meters=[meter] if isinstance(meter, str) else meter,
            has_metadata=bool(_METADATA.search(query)),
        )
        kept = None if NOTIFICATIONS.name in frames else self._kept(samples)
        if kept is None:
            cursor.execute(samples.replace("create view", "create temp view", 1))
        else:
            cursor.execute(f"set search_path = '{kept},main'")

    def _kept(self, samples: str) -> str | None:
        """Return the schema that keeps a view of samples for all who ask for the same; None where there are many."""
        with self._keeping:
            if samples not in self._views and len(self._views) < KEPT_VIEWS:
                name = f"view_{len(self._views)}"
                with self._engine.cursor() as cursor:
                    cursor.execute(f"create schema if not exists {name}")
                    cursor.execute(samples.replace("create view ", f"create or replace view {name}.", 1))
                self._views[samples] = name
            return self._views.get(samples)

    def _narrow(self, cursor: duckdb.DuckDBPyConnection, holding: Mapping[str, Any]) -> None:
        """Hide, from one cursor, the files that cannot have what is asked for."""
        paths = self._holding(holding)
        if len(paths) < len(self.files(NOTIFICATIONS.name)):
            narrowed = _table_view(NOTIFICATIONS, [*paths])
            cursor.execute(narrowed.replace("create view", "create temp view", 1))

    def _holding(self, values: Mapping[str, Any]) -> dict[str, range]:
        """Return the files of notifications that can have rows with all of these values, and which rows these are."""
        texts = {name: str(value) for name, value in values.items() if name != "id"}
        ids = values.get("id")
        wanted = ids if ids is None or isinstance(ids, range) else range(int(ids), int(ids) + 1)
        files = [file for file in self.files(NOTIFICATIONS.name) if wanted is None or file.may_hold_any(wanted)]
        if wanted is not None and wanted.stop - wanted.start == 1:
            held = [file.rows_with_id(self.path, wanted.start) for file in files]
        else:
            held = [lookup.ALL_ROWS] * len(files)
        if texts:
            found = lookup.rows_with(self.path, [file.path for file in files], texts)
            held = [lookup.common(rows) for rows in zip(held, found, strict=True)]
        return {file.path: rows for file, rows in zip(files, held, strict=True) if rows}

    def deployments(self) -> dict[int, str]:
        """Return the names of the deployments by id."""
        return self.state.deployments()

    def info(self) -> pl.DataFrame:
        """Describe the tables of the lake at this version.

        Returns
        -------
        polars.DataFrame
            A row a table: ``table`` (String), ``version`` (Int64), ``rows`` (Int64), ``files`` (Int64),
            ``bytes`` (Int64) on disk [B], ``first_date`` and ``last_date`` (Date), null where it is empty.
        """
        described = []
        for name, version in self.tables.items():
            files = self.files(name)
            days = [file.day for file in files]
            described.append(
                {
                    "table": name,
                    "version": version,
                    "rows": sum(file.rows for file in files),
                    "files": len(files),
                    "bytes": sum(file.bytes for file in files),
                    "first_date": min(days, default=None),
                    "last_date": max(days, default=None),
                }
            )
        return pl.DataFrame(described, schema=polars_schema(*INFO_FIELDS))

    def files(self, table: str) -> list[delta.File]:
        """Return the data files of a table at this version: none, where the lake does not have it yet."""
        return self._files.get(table, [])

    def _open_engine(self, has_nouns: bool) -> duckdb.DuckDBPyConnection:
        engine = duckdb.connect()
        views = [_table_view(table, [file.path for file in self.files(table.name)]) for table in TABLES]
        try:
            # what memory does not hold; by default it would lie where the process happens to have been started
            engine.execute(f"set temp_directory = {literal(f'{gettempdir()}/stackanalytics-{uuid4().hex}')}")
            for statement in (*_SETTINGS, *views, *(_NOUNS if has_nouns else ())):
                engine.execute(statement)
            if self.derivation.stale:
                engine.execute("create table stale_ids as select unnest($ids) as id", {"ids": [*self.derivation.stale]})
            _hide_progress(engine)
        except duckdb.Error as problem:
            engine.close()
            raise LakeError(f"{self.path} cannot be read: {problem}") from problem
        return engine


def open_lake(path: Path | str, *, version: Mapping[str, int] | None = None) -> Lake:
    """Open a lake for reading.

    Parameters
    ----------
    path
        The folder that notifications were landed in.
    version
        A former ``lake.version``, or the ``tables`` of a stored report, to see the lake as it was then;
        None for the newest. What it does not name is as it is now.

    Raises
    ------
    LakeError
        If the folder holds no lake, or not that version.
    """
    if not Path(path).is_dir():
        raise LakeError(f"no lake at {path}: no such folder. `stackanalytics land … --lake {path}` makes one")
    return Lake(path, version=version)


def _scan(path: str, rows: range, id: str | int | None) -> pl.LazyFrame:
    """Return a data file or, where these are few, only the rows among which those asked for are."""
    scanned = pl.scan_parquet(path, hive_partitioning=False)
    if id is not None and rows == lookup.ALL_ROWS:  # to find where takes less than to look for it with all columns
        found = scanned.select(pl.arg_where(pl.col("id") == id)).collect().to_series()
        rows = range(found[0], found[0] + 1) if len(found) else range(0)
    return scanned.slice(rows.start, len(rows)) if len(rows) <= FEW_ROWS else scanned


def _answer(cursor: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object] | None) -> pl.DataFrame:
    answer = cursor.sql(query, params=dict(parameters or {}))
    check_columns(answer)
    found: pl.DataFrame = answer.pl()
    return found


def _look_up(cursor: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object] | None) -> pl.DataFrame:
    """Answer a query for a few rows: planned once instead of twice, which is a third of what such a query takes.

    The answer is copied once more, for which many rows would need twice the memory.
    """
    found = pl.from_arrow(cursor.execute(query, dict(parameters or {})).to_arrow_table())
    assert isinstance(found, pl.DataFrame)
    return found


def _hide_progress(engine: duckdb.DuckDBPyConnection) -> None:
    """Keep DuckDB from writing a progress bar to standard output.

    In Jupyter without ipywidgets it is off, and refuses to be set.
    """
    if engine.execute(_HAS_PROGRESS_BAR).fetchone() == (True,):
        engine.execute("set enable_progress_bar = false")


def _table_view(table: Table, files: list[str]) -> str:
    columns = ", ".join(f'"{name}"' for name in [*table.fields, table.partition])
    if files:
        listed = ", ".join(map(literal, files))
        source = f"read_parquet([{listed}], hive_partitioning = true, hive_types = {{'date': date}})"
    else:
        source = f"(select {', '.join(_empty_column(field) for field in table.schema)} where false)"
    return f"create view {table.view} as select {columns} from {source}"


def _empty_column(field: pa.Field) -> str:
    names = {
        pa.int64(): "bigint",
        pa.int32(): "integer",
        pa.string(): "varchar",
        pa.bool_(): "boolean",
        pa.binary(): "blob",
        pa.date32(): "date",
        pa.timestamp("us", "UTC"): "timestamptz",
        pa.float64(): "double",
    }
    return f'cast(null as {names[field.type]}) as "{field.name}"'
