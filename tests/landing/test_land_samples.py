"""Samples that were measured elsewhere land as they were told, once, or become dead letters with a reason."""

import gzip
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import stackanalytics as sa
from stackanalytics.lake import derive
from stackanalytics.landing import land_samples
from stackanalytics.sources.sample_table import read_samples
from stackanalytics.testing import lake_of, notification

STORED = {
    "counter_name": "cpu_util",
    "counter_type": "gauge",
    "counter_unit": "%",
    "counter_volume": 16.5,
    "user_id": "u1",
    "project_id": "p1",
    "resource_id": "r1",
    "source": "openstack",
    "message_id": "m-1",
    "timestamp": "2013-01-01T03:00:00",
    "recorded_at": "2013-06-01T00:00:00.5",
    "resource_metadata": {"size": 5, "nested": {"deep": [True, None]}},
}
SHOWN = {
    "meter": "cpu_util",
    "type": "gauge",
    "unit": "%",
    "volume": 16.5,
    "id": "m-1",
    "metadata": {"size": "5"},
    **{name: STORED[name] for name in ("user_id", "project_id", "resource_id", "source", "timestamp", "recorded_at")},
}
TABLE = {
    "meter": ["cpu_util", "cpu"],
    "meter_type": ["gauge", "counter"],
    "unit": ["%", "ns"],
    "volume": [16.5, 2e9],
    "resource": ["r1", "r2"],
    "tenant": ["p1", None],
    "measured_at": ["2013-01-01T03:00:00", "2013-01-02"],
    "flavor": ["m1.tiny", None],
}


def landed(folder: Path, path: Path) -> sa.Lake:
    """Land a file and open the lake."""
    land_samples(read_samples([path]), folder)
    return sa.open_lake(folder)


def written(path: Path, *lines: object) -> Path:
    """Write lines of JSON, or texts as they are."""
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


@pytest.mark.parametrize(
    "line",
    [
        STORED,
        [STORED],
        {"samples": [STORED]},
        {"event_type": "telemetry.polling", "payload": {"samples": [STORED]}},
        {"oslo.version": "2.0", "oslo.message": json.dumps({"payload": {"samples": [STORED]}})},
        {**STORED, "message_signature": "e3b0c442", "monotonic_time": 5.25},
        {**STORED, "counter_volume": "16.5", "resource_metadata": json.dumps(STORED["resource_metadata"])},
    ],
    ids=["object", "list", "samples", "agent", "envelope", "signed", "texts"],
)
def test_every_form_tells_the_same(line: object, tmp_path: Path) -> None:
    """A sample is the same in whatever form it comes, with its ids, its source, its times and its typed metadata."""
    with landed(tmp_path / "lake", written(tmp_path / "samples.jsonl", line)) as lake:
        [found] = sa.samples(lake).rows(named=True)

    assert json.loads(found.pop("metadata")) == {"size": 5, "nested": {"deep": [True, None]}}
    assert found == {
        "sample_id": "m-1",
        "meter": "cpu_util",
        "meter_type": "gauge",
        "unit": "%",
        "volume": 16.5,
        "resource": "r1",
        "tenant": "p1",
        "user": "u1",
        "source": "openstack",
        "measured_at": datetime.fromisoformat("2013-01-01T03:00:00+00:00"),
        "recorded_at": datetime.fromisoformat("2013-06-01T00:00:00.5+00:00"),
    }


def test_both_renderings_of_ceilometer_are_read(tmp_path: Path) -> None:
    """What the API shows of samples can be landed, under either set of names."""
    with landed(tmp_path / "lake", written(tmp_path / "samples.json", json.dumps([SHOWN], indent=1))) as lake:
        [found] = sa.samples(lake).rows(named=True)

    assert (found["meter"], found["sample_id"], found["metadata"]) == ("cpu_util", "m-1", '{"size":"5"}')


def _csv(path: Path) -> None:
    pl.DataFrame(TABLE).write_csv(path)


def _packed_csv(path: Path) -> None:
    path.write_bytes(gzip.compress(pl.DataFrame(TABLE).write_csv().encode("utf-8-sig")))


def _parquet(path: Path) -> None:
    frame = pl.DataFrame(TABLE)
    times = pl.Series([datetime(2013, 1, 1, 3), datetime(2013, 1, 2)], dtype=pl.Datetime("ns"))
    frame.with_columns(measured_at=times).write_parquet(path)


@pytest.mark.parametrize(
    ("name", "write"),
    [("s.csv", _csv), ("s.csv.gz", _packed_csv), ("s.PARQUET", _parquet)],
    ids=["csv", "packed", "parquet"],
)
def test_tables(name: str, write: Callable[[Path], None], tmp_path: Path) -> None:
    """Rows of tables are samples; a column that is no field of samples becomes metadata."""
    write(tmp_path / name)

    with landed(tmp_path / "lake", tmp_path / name) as lake:
        found = (
            sa.samples(lake).select("meter", "meter_type", "unit", "volume", "resource", "tenant", "metadata").rows()
        )
        times = sa.samples(lake)["measured_at"].dt.strftime("%F %T").to_list()

    assert found == [
        ("cpu", "cumulative", "ns", 2e9, "r2", None, None),
        ("cpu_util", "gauge", "%", 16.5, "r1", "p1", '{"flavor":"m1.tiny"}'),
    ]
    assert times == ["2013-01-02 00:00:00", "2013-01-01 03:00:00"]


def test_measures_of_gnocchi(tmp_path: Path) -> None:
    """Aggregated measures have no type and no unit; what else is told of them is kept."""
    path = tmp_path / "measures.csv"
    path.write_text(
        "resource_id,metric,timestamp,granularity,value\nr1,cpu_util,2018-04-01T10:00:00+02:00,300.0,12.25\n"
    )
    with landed(tmp_path / "lake", path) as lake:
        [found] = sa.samples(lake).rows(named=True)

    assert (found["meter"], found["meter_type"], found["unit"], found["volume"]) == ("cpu_util", "gauge", "", 12.25)
    assert (found["measured_at"].isoformat(), found["metadata"]) == (
        "2018-04-01T08:00:00+00:00",
        '{"granularity":"300.0"}',
    )


HOSTILE: dict[str, tuple[object, str]] = {
    "nothing": ({}, "no meter"),
    "text": ('"sample"', "a sample is an object"),
    "number": ("5", "a sample is an object"),
    "null": ("null", "a sample is an object"),
    "torn": ('{"meter": "a', "no JSON"),
    "deep": ("[" * 5000, "no JSON"),
    "no volume": ({**STORED, "counter_volume": None}, "no volume"),
    "volume of text": ({**STORED, "counter_volume": "much"}, "volume is 'much'"),
    "volume of NaN": ({**STORED, "counter_volume": "NaN"}, "volume is 'NaN'"),
    "infinite volume": ({**STORED, "counter_volume": "1e999"}, "finite number"),
    "huge volume": (json.dumps({**STORED, "counter_volume": 7}).replace("7", "1" * 400), "finite number"),
    "true volume": ({**STORED, "counter_volume": True}, "volume is True"),
    "list of volumes": ({**STORED, "counter_volume": [1]}, "volume is [1]"),
    "type": ({**STORED, "counter_type": "histogram"}, "gauge, delta, cumulative"),
    "meter of a list": ({**STORED, "counter_name": ["a"]}, "meter is ['a']"),
    "empty meter": ({**STORED, "counter_name": ""}, "no meter"),
    "no resource": ({**STORED, "resource_id": None}, "no resource"),
    "no time": ({**STORED, "timestamp": None}, "no measured_at"),
    "time of text": ({**STORED, "timestamp": "yesterday"}, "measured_at is 'yesterday'"),
    "time of a number": ({**STORED, "timestamp": 1356998400.5}, "measured_at is 1356998400.5"),
    "recorded at no time": ({**STORED, "recorded_at": "never"}, "recorded_at is 'never'"),
}


@pytest.mark.parametrize(("line", "said"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_sample_becomes_a_dead_letter(line: object, said: str, tmp_path: Path) -> None:
    """The lines before and after are landed, and the reason says what is wrong; again, nothing is added."""
    good = [{**STORED, "message_id": f"m-{number}"} for number in range(2)]
    path = written(tmp_path / "samples.jsonl", good[0], line, good[1])

    first = land_samples(read_samples([path]), tmp_path / "lake")
    again = land_samples(read_samples([path]), tmp_path / "lake")

    assert (first.samples, first.dead_letters, again.samples, again.dead_letters) == (2, 1, 0, 0)
    assert (again.duplicates, again.repeated_dead_letters) == (2, 1)
    with sa.open_lake(tmp_path / "lake") as lake:
        [(origin, reason)] = lake.sql("select origin, reason from dead_letters").rows()
    assert said in reason
    assert origin == f"{path}:2"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("s.csv", b"meter,volume\na,1,2\n", "3 values, but there are 2 columns"),
        ("s.csv", b"meter,volume,resource,measured_at\n\xff,1,r,2013-01-01\n", "UTF-8"),
        ("s.csv", b"gr\xf6\xdfe,meter\n1,m\n", "UTF-8"),
        ("s.csv.gz", b"no gzip", "cannot be read on"),
        ("s.csv.gz", gzip.compress(bytes(str([*range(20_000)]), "ascii"))[:-9], "cannot be read on"),
        ("s.parquet", b"PAR1", "cannot be read on"),
        ("s.csv", b'meter,volume\n"a', "cannot be read on"),
    ],
)
def test_tables_that_cannot_be_read(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    """A damaged table is told of, with where and why, and nothing raises."""
    (tmp_path / name).write_bytes(content)

    assert land_samples(read_samples([tmp_path / name]), tmp_path / "lake").samples == 0
    with sa.open_lake(tmp_path / "lake") as lake:
        reasons = lake.sql("select reason from dead_letters order by reason")["reason"].to_list()
    assert any(said in reason for reason in reasons)


def test_rows_before_the_damage_are_landed(tmp_path: Path) -> None:
    """Of a table that breaks off, what could be read is landed, and the dead letter tells the row."""
    row = "m,{},r,2013-01-01T00:00:00\n"
    text = "meter,volume,resource,timestamp\n" + "".join(row.format(number) for number in range(5))
    (tmp_path / "s.csv").write_text(f'{text}q,"5"x,r,2013-01-01\n')

    with landed(tmp_path / "lake", tmp_path / "s.csv") as lake:
        assert sorted(sa.samples(lake)["volume"]) == [0, 1, 2, 3, 4]
        assert lake.sql("select origin from dead_letters").rows() == [(f"{tmp_path / 's.csv'}, row:6",)]


def test_blank_lines_of_tables_are_nothing(tmp_path: Path) -> None:
    """A blank line is no row, as in JSON lines, but counts where rows are numbered."""
    row = "m,{},r,2013-01-01T00:00:00\n"
    (tmp_path / "s.csv").write_text(f"meter,volume,resource,timestamp\n{row.format(1)}\n{row.format(2)}m\n \n\n")

    with landed(tmp_path / "lake", tmp_path / "s.csv") as lake:
        assert sorted(sa.samples(lake)["volume"]) == [1, 2]
        assert lake.sql("select origin from dead_letters").rows() == [(f"{tmp_path / 's.csv'}, row:4",)]


@pytest.mark.parametrize("told", ["infinity", "-infinity", "200000-01-01T00:00:00", "0044-03-15 (BC) 00:00:00"])
def test_times_that_no_calendar_has(told: str, tmp_path: Path) -> None:
    """What an agent dates beyond all years counts as measured when it was sent; deriving goes on."""
    message = notification(
        "telemetry.polling", "2013-01-01 03:00", payload={"samples": [{**STORED, "timestamp": told}]}
    )
    lake_of(tmp_path, [message]).close()

    assert derive(tmp_path).samples == 1
    with sa.open_lake(tmp_path) as lake:
        assert sa.samples(lake)["measured_at"].dt.strftime("%F %T").to_list() == ["2013-01-01 03:00:00"]


def test_far_years_in_parquet_are_dead_letters(tmp_path: Path) -> None:
    """A time that Python cannot hold costs its row, not the file."""
    table = pa.table(
        {
            "meter": ["a", "b"],
            "volume": [1.0, 2.0],
            "resource": ["r", "r"],
            "timestamp": pa.array([0, 2**62 // 10**6], pa.timestamp("s")),
        }
    )
    pq.write_table(table, tmp_path / "s.parquet")

    with landed(tmp_path / "lake", tmp_path / "s.parquet") as lake:
        assert sa.samples(lake)["meter"].to_list() == ["a"]
        assert lake.sql("select count(*) as n from dead_letters")["n"].to_list() == [1]


def test_what_no_field_uses_becomes_metadata(tmp_path: Path) -> None:
    """Of two names of one field the second is no field, but is kept."""
    told = {"meter": "cpu", "name": "vm-1", "volume": 1, "value": 9, "resource": "r", "timestamp": "2013-01-01"}

    with landed(tmp_path / "lake", written(tmp_path / "s.jsonl", told)) as lake:
        [metadata] = sa.samples(lake)["metadata"].to_list()
    assert json.loads(metadata) == {"name": "vm-1", "value": 9}


def test_fields_without_a_value_are_no_metadata(tmp_path: Path) -> None:
    """What an export leaves null or empty is not known; what is no field of samples is kept, whatever it is."""
    told = {**STORED, "user_id": None, "project_id": None, "counter_unit": "", "source": None, "note": None}

    with landed(tmp_path / "lake", written(tmp_path / "s.jsonl", {**told, "resource_metadata": {"size": 5}})) as lake:
        [found] = sa.samples(lake).rows(named=True)
    assert (found["user"], found["tenant"], found["unit"], found["source"]) == (None, None, "", "openstack")
    assert json.loads(found["metadata"]) == {"size": 5, "note": None}


def test_the_order_of_members_makes_no_difference(tmp_path: Path) -> None:
    """A sample is the same in whatever order its members, and those of its metadata, are told, nested or as text."""
    given = {"meter": "cpu", "volume": 1, "resource": "r", "timestamp": "2013-01-01"}
    one = {**given, "zone": "z", "metadata": {"a": 1, "b": {"c": [{"d": 2, "e": 3}], "f": 4}}}
    turned = {"b": {"f": 4, "c": [{"e": 3, "d": 2}]}, "a": 1}
    others = [{"metadata": turned, "zone": "z", **given}, {**given, "metadata": json.dumps(turned), "zone": "z"}]

    with landed(tmp_path / "lake", written(tmp_path / "s.jsonl", one, *others)) as lake:
        [metadata] = sa.samples(lake)["metadata"]
    assert metadata == '{"a":1,"b":{"c":[{"d":2,"e":3}],"f":4},"zone":"z"}'


def test_secrets_are_redacted(tmp_path: Path) -> None:
    """No secret in the metadata of a sample, nor in a dead letter, reaches the disk."""
    secret: dict[str, Any] = {"resource_metadata": {"auth_token": "FAKE-SECRET", "name": "n"}}
    path = written(tmp_path / "s.jsonl", {**STORED, **secret}, {**STORED, **secret, "counter_volume": None})

    with landed(tmp_path / "lake", path) as lake:
        [told] = sa.samples(lake)["metadata"].to_list()
        [content] = lake.sql("select content from dead_letters")["content"].to_list()

    assert json.loads(told) == {"auth_token": "***", "name": "n"}
    assert b"FAKE-SECRET" not in content


def test_what_agents_send_as_notifications_are_samples_too(tmp_path: Path) -> None:
    """A message of a polling agent that is landed as a notification yields the samples in it."""
    message = notification("telemetry.polling", "2013-01-01 03:00:05", payload={"samples": [STORED]})

    with lake_of(tmp_path, [message]) as lake:
        [found] = sa.samples(lake).rows(named=True)

    assert (found["meter"], found["volume"], found["tenant"]) == ("cpu_util", 16.5, "p1")
    assert f"{found['measured_at']:%F %T}" == "2013-01-01 03:00:00"
    assert json.loads(found["metadata"])["nested"] == {"deep": [True, None]}
