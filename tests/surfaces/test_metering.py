"""Ceilometer's API v2: meters, samples, resources and statistics, as clients of it read them."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest
from asked import ROUTES, ask
from metered import metered_lake

from stackanalytics.lake import Lake
from stackanalytics.testing import sample, samples_of

NESTED = {
    "size": 5,
    "flags": True,
    "none": None,
    "a": {"b": {"c": 1.5}},
    "dict": {"key.$1": {"$key": "v"}},
    "l": ["x", 2],
}
# the hours of the blueprint's example: lowest, the one between and highest of each, for the mean that it has
HOURS = [(12, 23, 34), (14, 23, 41), (15, 29, 43), (16, 42, 44), (18, 34, 47)]
USED = [
    sample(
        "cpu_util",
        f"2013-01-01 {5 + hour:02}:{10 + 20 * place}",
        volume,
        unit="%",
        tenant="p1",
        user="u1",
        resource="r1",
        metadata={"autoscale_group": "all_mine"},
    )
    for hour, volumes in enumerate(HOURS)
    for place, volume in enumerate(volumes)
]
OTHERS = [
    sample("cpu_util", "2013-01-01 05:15", 99, unit="%", tenant="p2", resource="r2", metadata={"autoscale_group": "x"}),
    sample("disk", "2013-01-02 03:00:00.25", 1, meter_type="cumulative", resource="a/b", tenant="p2", metadata=NESTED),
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Return a lake with two meters of three resources."""
    with samples_of(tmp_path_factory.mktemp("lake"), [*USED, *OTHERS]) as opened:
        yield opened


def get(lake: Lake, url: str, **headers: str) -> Any:
    """Return what a path and query has, which must be something."""
    told = ask(lake, url, **headers)
    assert told.status == 200, told
    return told.value


EXAMPLE = (
    "q[0].field=metadata.autoscale_group& q[0].op=eq& q[0].value=all_mine& q[1].field=timestamp& q[1].op=lt&"
    " q[1].value=2013-01-01T10:00:00& q[2].field=timestamp& q[2].op=gt& q[2].value=2013-01-01T05:00:00&"
)


@pytest.mark.parametrize("path", ["/v2/meters/cpu_util/statistics", "/meters/cpu_util/statistics"])
@pytest.mark.parametrize("selected", ["s[]=min&s[]=max&s[]=avg", "s[0]=min&s[1]=max&s[2]=avg", "s=min&s=max&s=avg"])
def test_the_example_of_the_blueprint(lake: Lake, path: str, selected: str) -> None:
    """In its own syntax, with a period of the hour that it means, the blueprint's example gives its five rows."""
    assert get(lake, f"{path}?{EXAMPLE} period=3600&{selected}") == [
        {"min": 12.0, "max": 34.0, "avg": 23.0},
        {"min": 14.0, "max": 41.0, "avg": 26.0},
        {"min": 15.0, "max": 43.0, "avg": 29.0},
        {"min": 16.0, "max": 44.0, "avg": 34.0},
        {"min": 18.0, "max": 47.0, "avg": 33.0},
    ]


def test_the_period_of_the_blueprint_is_in_seconds(lake: Lake) -> None:
    """With the period of 360 that it writes, there is a row for each sample, each six minutes long."""
    rows = get(lake, f"/v2/meters/cpu_util/statistics?{EXAMPLE} period=360")

    assert len(rows) == 15
    assert {row["period"] for row in rows} == {360}


def test_statistics_of_everything(lake: Lake) -> None:
    """Without a period there is one row, with all fields but aggregates, which nobody asked for."""
    assert get(lake, "/v2/meters/cpu_util/statistics?resource_id=r1") == [
        {
            "unit": "%",
            "min": 12.0,
            "max": 47.0,
            "avg": 29.0,
            "sum": 435.0,
            "count": 15,
            "period": 0,
            "period_start": "2013-01-01T05:10:00",
            "period_end": "2013-01-01T09:50:00",
            "duration": 16800.0,
            "duration_start": "2013-01-01T05:10:00",
            "duration_end": "2013-01-01T09:50:00",
            "groupby": None,
        }
    ]


def test_statistics_by_the_calendar(lake: Lake) -> None:
    """Periods may be days of a time zone, hours that begin with the hour, and such without any sample."""
    path = "/v2/meters/cpu_util/statistics?resource_id=r1&s=period&s=period_start&s=count"
    # in Chatham it is 13:45 hours later in summer
    assert get(lake, f"{path}&period=day&timezone=Pacific/Chatham") == [
        {"period": 86400, "period_start": "2012-12-31T10:15:00", "count": 15}
    ]
    assert get(lake, f"{path}&period=day&timezone=%2B12:00")[0]["period_start"] == "2012-12-31T12:00:00"
    assert [row["period_start"] for row in get(lake, f"{path}&period=3600&aligned=True")] == [
        f"2013-01-01T0{hour}:00:00" for hour in range(5, 10)
    ]
    between = "q.field=metadata.autoscale_group&q.op=lt&q.value=b&period=600&empty=1"
    assert [row["count"] for row in get(lake, f"{path}&{between}")][:5] == [1, 0, 1, 0, 1]


def test_increases_and_rates(lake: Lake) -> None:
    """What is made of how a series changes is asked for as other aggregates are."""
    asked = "aggregate.func=increase&aggregate.func=rate&aggregate.func=time_weighted_avg&resource_id=r1&s=aggregate"
    [row] = get(lake, f"/v2/meters/cpu_util/statistics?{asked}")

    assert set(row["aggregate"]) == {"increase", "rate", "time_weighted_avg"}
    assert row["aggregate"]["increase"] == 35.0
    assert row["aggregate"]["rate"] == pytest.approx(35 / 16800)


def test_statistics_by_groups(lake: Lake) -> None:
    """Each row tells the values of its group by exactly the names that were asked for."""
    rows = get(
        lake, "/v2/meters/cpu_util/statistics?groupby=resource_id&groupby=metadata.autoscale_group&s=groupby&s=count"
    )

    assert rows == [
        {"groupby": {"resource_id": "r1", "metadata.autoscale_group": "all_mine"}, "count": 15},
        {"groupby": {"resource_id": "r2", "metadata.autoscale_group": "x"}, "count": 1},
    ]


def test_groups_that_differ_in_case_only(tmp_path: Path) -> None:
    """Names of metadata that differ in case are different fields, each with the values of its own."""
    given = [
        sample("m", "2013-01-01", 1, metadata={"a": "x", "A": "y"}),
        sample("m", "2013-01-01", 2, metadata={"a": "x", "A": "z", "\0": "nul"}),
        sample("m", "2013-01-01", 4, metadata={"A": "y"}),
    ]
    with samples_of(tmp_path, given) as lake:
        asked = "aggregate.func=time_weighted_avg&aggregate.func=sum&groupby=metadata.a&groupby=metadata.A&s=groupby"
        rows = get(lake, f"/v2/meters/m/statistics?{asked}&s=sum&period=60&empty=1")

        assert rows == [
            {"groupby": {"metadata.a": "x", "metadata.A": "y"}, "sum": 1.0},
            {"groupby": {"metadata.a": "x", "metadata.A": "z"}, "sum": 2.0},
        ]
        [row] = get(lake, "/v2/meters/m/statistics?groupby=metadata.%00&s=groupby&s=sum")
        assert row == {"groupby": {"metadata.\0": "nul"}, "sum": 2.0}


def test_aggregates(lake: Lake) -> None:
    """Of what is asked for, the usual ones are told beside and among the aggregates, the others only there."""
    functions = ["cardinality&aggregate.param=resource_id", "max", "count", "max"]
    asked = "&".join(f"aggregate.func={function}" for function in functions)
    [row] = get(lake, f"/v2/meters/cpu_util/statistics?{asked}")

    assert row["aggregate"] == {"cardinality/resource_id": 2.0, "max": 99.0, "count": 16.0}
    assert (row["max"], row["count"]) == (99.0, 16)
    assert not {"min", "avg", "sum"} & row.keys()
    [row] = get(lake, "/v2/meters/cpu_util/statistics?aggregate.func=percentile&aggregate.param=50&resource_id=r1")
    assert row["aggregate"] == {"percentile/50": 29.0}


def test_other_durations(lake: Lake) -> None:
    """Of one sample no time passes; the asked bounds clamp what was looked for further out."""
    [row] = get(lake, "/v2/meters/disk/statistics?period=60")
    assert (row["duration"], row["count"], row["period_end"]) == (0.0, 1, "2013-01-02T03:01:00.250000")
    bounds = (
        "q.field=timestamp&q.op=ge&q.value=2013-01-01T05:20:00&q.field=timestamp&q.op=lt&q.value=2013-01-01T05:25:00"
    )
    widened = f"{bounds}&q.field=search_offset&q.op=eq&q.value=30&resource_id=r1"
    [row] = get(lake, f"/v2/meters/cpu_util/statistics?{widened}")
    assert (row["count"], row["duration_start"], row["duration_end"]) == (
        3,
        "2013-01-01T05:20:00",
        "2013-01-01T05:25:00",
    )


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=1", 'Unknown argument: "limit"'),
        ("period=-1", "Period must be positive."),
        ("period=fortnight", "Invalid input for field/attribute period. Value: 'fortnight'."),
        ("period=day&timezone=Mars", "Mars"),
        ("period=60&timezone=UTC", "timezone"),
        ("empty=x", "Invalid input for field/attribute empty"),
        ("period=1.5", "Invalid input for field/attribute period. Value: '1.5'. unable to convert to int"),
        ("period=10000000000000", "period 10000000000000"),
        ("groupby=bogus", "Invalid groupby fields"),
        ("empty=True", "give a period"),
        ("empty=True&period=0", "give a period"),
        ("aggregate.func=bogus", "Invalid aggregation function: bogus"),
        ("aggregate.func=max&aggregate.func=cardinality&aggregate.param=resource_id", "Bad aggregate: max.resource_id"),
        ("aggregate.func=avg&aggregate.param=foo", "Bad aggregate: avg.foo"),
        ("aggregate.func=cardinality&aggregate.param=bogus", "Bad aggregate: cardinality.bogus"),
        ("s=bogus", 'Unknown argument: "bogus": no field for s[] to select'),
        ("q.field=search_offset&q.value=10", "search_offset cannot be used without timestamp"),
    ],
)
def test_refused_statistics(lake: Lake, query: str, said: str) -> None:
    """What statistics cannot be made of is refused in Ceilometer's words."""
    told = ask(lake, f"/v2/meters/cpu_util/statistics?{query}")

    assert told.status == 400
    assert said in told.value


def test_nothing_is_an_empty_list(lake: Lake) -> None:
    """A meter that there is not has no samples and no statistics; it is not an error."""
    for url in ("/v2/meters/nope", "/v2/meters/nope/statistics", "/v2/meters/nope/statistics?period=60"):
        assert get(lake, url) == []


SAMPLE = {
    "meter": "disk",
    "type": "cumulative",
    "unit": "unit",
    "volume": 1.0,
    "user_id": None,
    "project_id": "p2",
    "resource_id": "a/b",
    "source": "openstack",
    "timestamp": "2013-01-02T03:00:00.250000",
    "metadata": {
        "size": "5",
        "flags": "True",
        "none": "None",
        "a.b:c": "1.5",
        "dict.key:$1:$key": "v",
        "l": "['x', 2]",
    },
}
OLD_NAMES = {
    "meter": "counter_name",
    "type": "counter_type",
    "unit": "counter_unit",
    "volume": "counter_volume",
    "metadata": "resource_metadata",
    "id": "message_id",
}


def test_samples_have_two_forms(lake: Lake) -> None:
    """The same sample has other names below its meter; both tell times without a zone and metadata without nesting."""
    [new] = get(lake, "/v2/samples?q.field=meter&q.value=disk")
    [old] = get(lake, "/v2/meters/disk")

    assert {name: new[name] for name in SAMPLE} == SAMPLE
    assert old == {OLD_NAMES.get(name, name): value for name, value in new.items()}
    assert new.keys() - SAMPLE.keys() == {"id", "recorded_at"}
    assert get(lake, f"/v2/samples/{new['id']}") == new


def test_the_path_names_the_meter(lake: Lake) -> None:
    """A condition on the meter counts where the path has none."""
    assert len(get(lake, "/v2/samples?q.field=meter&q.value=cpu_util")) == 16
    assert len(get(lake, "/v2/meters/disk?q.field=meter&q.value=cpu_util")) == 1


def test_pages_tell_how_much_there_is(lake: Lake) -> None:
    """A page says how much there is in all and where the next one is; the last one says that it is the last."""
    first = ask(lake, "/v2/samples?project_id=p1& limit=10&s=volume")
    assert (first.headers["X-Total-Count"], first.headers["X-Truncated"]) == ("15", "true")
    assert first.headers["Link"] == '<?project_id=p1&s=volume&limit=10&offset=10>; rel="next"'
    last = ask(lake, "/v2/samples?project_id=p1&s=volume&limit=10&offset=10")
    assert last.headers == {"X-Total-Count": "15", "X-Truncated": "false"}
    assert [row["volume"] for row in first.value + last.value] == [x["volume"] for x in reversed(USED)]
    beyond = ask(lake, "/v2/samples?project_id=p1&offset=100")
    assert (beyond.value, beyond.headers) == ([], {"X-Total-Count": "15", "X-Truncated": "false"})


@pytest.mark.parametrize("path", ["/v2/meters", "/v2/resources", "/meters", "/resources"])
def test_other_lists_have_pages_too(lake: Lake, path: str) -> None:
    """Meters and resources come in pages likewise, which together are the whole list."""
    whole = ask(lake, path)
    pages = [ask(lake, f"{path}?limit=1&offset={offset}") for offset in range(3)]

    assert [row for page in pages for row in page.value] == whole.value
    assert [page.headers["X-Truncated"] for page in pages] == ["true", "true", "false"]
    assert {told.headers["X-Total-Count"] for told in [whole, *pages]} == {"3"}


def test_meters(lake: Lake) -> None:
    """A meter is told for each of its resources, with an id that is made of both, or once, for none."""
    rows = get(lake, "/v2/meters?project_id=p1")
    assert rows == [
        {
            "name": "cpu_util",
            "type": "gauge",
            "unit": "%",
            "resource_id": "r1",
            "project_id": "p1",
            "user_id": "u1",
            "source": "openstack",
            "meter_id": "cjErY3B1X3V0aWw=",
        }
    ]
    once = get(lake, "/v2/meters?unique=True")
    assert [(row["name"], row["resource_id"], row["project_id"]) for row in once] == [
        ("cpu_util", None, None),
        ("disk", None, None),
    ]
    assert base64.b64decode(once[0]["meter_id"]) == b"None+cpu_util"


def test_meters_know_no_time(lake: Lake) -> None:
    """Meters are as their newest sample tells, so that they cannot be asked for by time."""
    for field in ("timestamp", "search_offset"):
        told = ask(lake, f"/v2/meters?q.field={field}&q.op=lt&q.value=2013")
        assert (told.status, told.value.partition(";")[0]) == (
            400,
            f'Unknown argument: "{field}": not valid for this resource',
        )


def test_resources(lake: Lake) -> None:
    """A resource tells its first and last sample, what the last one says, and links to itself and to its meters."""
    rows = get(lake, "/v2/resources", Host="host:8000")

    assert [row["resource_id"] for row in rows] == ["a/b", "r1", "r2"]
    assert rows[1] == {
        "resource_id": "r1",
        "project_id": "p1",
        "user_id": "u1",
        "source": "openstack",
        "first_sample_timestamp": "2013-01-01T05:10:00",
        "last_sample_timestamp": "2013-01-01T09:50:00",
        "metadata": {"autoscale_group": "all_mine"},
        "links": [
            {"href": "http://host:8000/v2/resources/r1", "rel": "self"},
            {
                "href": "http://host:8000/v2/meters/cpu_util?q.field=resource_id&q.value=r1",
                "rel": "cpu_util",
            },
        ],
    }
    assert get(lake, "/v2/resources/r1", Host="host:8000") == rows[1]
    assert [len(row["links"]) for row in get(lake, "/v2/resources?meter_links=0")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("said", "scheme"),
    [
        ("https", "https"),
        ("HTTPS, http", "https"),
        ("http", "http"),
        ("", "http"),
        ("javascript", "http"),
        ("https://evil", "http"),
    ],
)
def test_links_go_through_proxies(lake: Lake, said: str, scheme: str) -> None:
    """Links begin as the proxy says that it was asked, with http or https and nothing else."""
    [row] = get(lake, "/v2/resources?resource_id=r1", Host="host", X_Forwarded_Proto=said)

    assert {link["href"].partition(":")[0] for link in row["links"]} == {scheme}
    assert get(lake, "/v2", Host="host", X_Forwarded_Proto=said)["links"][0]["href"] == f"{scheme}://host/v2"
    assert all("X-Forwarded-Proto" in route.reads_headers for route in ROUTES)


def test_slashes_in_ids(lake: Lake) -> None:
    """An id with a slash is found, as clients quote it: twice."""
    assert get(lake, "/v2/resources/a%2Fb?s=resource_id") == {"resource_id": "a/b"}


@pytest.mark.parametrize("path", ["/v2/resources/nope", "/resources/nope", "/v2/samples/nope"])
def test_unknown_things_are_not_found(lake: Lake, path: str) -> None:
    """One thing that there is not is not found, and the message names it."""
    told = ask(lake, path)

    assert (told.status, "nope Not Found" in told.value) == (404, True)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v2/meters", ["name", "meter_id"]),
        ("/v2/samples", ["id", "metadata"]),
        ("/v2/meters/disk", ["counter_name", "resource_metadata"]),
        ("/v2/resources", ["links", "last_sample_timestamp"]),
    ],
)
def test_fields_can_be_selected(lake: Lake, path: str, fields: list[str]) -> None:
    """Who selects fields gets these of the same rows, in that order; another one is refused with those there are."""
    whole = get(lake, path)

    shown = get(lake, f"{path}?{'&'.join(f's[]={name}' for name in fields)}")

    assert shown == [{name: row[name] for name in fields} for row in whole]
    assert [list(row) for row in shown] == [fields] * len(whole)
    told = ask(lake, f"{path}?s=bogus")
    assert told.status == 400
    assert all(name in told.value for name in whole[0])


class WatchedLake(Lake):
    """A lake that notes what is asked."""

    asked: ClassVar[list[str]] = []

    def sql(self, query: str, *args: Any, **kwargs: Any) -> pl.DataFrame:
        """Note it, and answer."""
        self.asked.append(query)
        return super().sql(query, *args, **kwargs)


@pytest.mark.parametrize(
    ("path", "fields", "metadata"),
    [
        ("/v2/samples", ["timestamp", "volume"], "metadata"),
        ("/v2/meters/m", ["counter_volume"], "resource_metadata"),
        ("/v2/resources", ["resource_id", "project_id"], "metadata"),
        ("/v2/resources/r", ["resource_id"], "metadata"),
    ],
)
def test_metadata_are_read_where_they_are_selected(path: str, fields: list[str], metadata: str, tmp_path: Path) -> None:
    """Fields without metadata are told without reading notifications, and are what they are beside metadata."""
    metered_lake(tmp_path, [{"at": "2013-01-01", "meter": "m", "volume": 1, "size": 5}]).close()
    with WatchedLake(tmp_path) as lake:
        WatchedLake.asked.clear()
        few = get(lake, f"{path}?{'&'.join(f's={name}' for name in fields)}")
        assert not [query for query in WatchedLake.asked if "from notifications" in query]
        whole = get(lake, path)
        assert [query for query in WatchedLake.asked if "from notifications" in query]
    [few], [whole] = (told if isinstance(told, list) else [told] for told in (few, whole))
    assert few == {name: whole[name] for name in fields}
    assert whole[metadata]["size"] == "5"


# who sees what

MEMBER = {"X_Roles": "member,reader", "X_Project_Id": "p1", "X_User_Id": "u1"}


@pytest.mark.parametrize("path", ["/v2/meters", "/v2/samples", "/v2/resources", "/v2/meters/cpu_util"])
def test_members_see_their_project(lake: Lake, path: str) -> None:
    """Who is no admin sees what is of the own project, and may name that, but no other."""
    own = get(lake, f"{path}?project_id=p1")

    assert get(lake, path, **MEMBER) == get(lake, f"{path}?project=p1", **MEMBER) == own
    assert get(lake, f"{path}?q.field=project_id&q.value=", **MEMBER) == own
    assert get(lake, path, X_Roles="Admin", X_Project_Id="p1") == get(lake, path)
    for query, project in {"project_id=p2": "p2", "q.field=project&q.value=p2": "p2", "project=None": "None"}.items():
        told = ask(lake, f"{path}?{query}", **MEMBER)
        assert (told.status, told.value) == (401, f"Not Authorized to access project {project}")


def test_members_see_no_single_thing_of_others(lake: Lake) -> None:
    """Ids of what is of other projects are as if there was nothing."""
    id = get(lake, "/v2/samples?project_id=p2&limit=1")[0]["id"]

    assert ask(lake, f"/v2/samples/{id}", **MEMBER).status == 404
    assert ask(lake, "/v2/resources/r2", **MEMBER).status == 404
    assert get(lake, "/v2/resources/r1", **MEMBER)["resource_id"] == "r1"


def test_members_see_nothing_of_others_at_the_same_time(tmp_path: Path) -> None:
    """A resource that samples of two projects tell of at once is as the member's own tell, with the member's meters."""
    given = [
        sample("other", "2013-01-01", 1, tenant="p2", user="u2", metadata={"size": 9}),
        sample("mine", "2013-01-01", 1, tenant="p1", user="u1", metadata={"size": 5}),
    ]
    with samples_of(tmp_path, given) as lake:
        [row] = get(lake, "/v2/resources", **MEMBER)

        assert (row["project_id"], row["user_id"], row["metadata"]) == ("p1", "u1", {"size": "5"})
        assert [link["rel"] for link in row["links"]] == ["self", "mine"]
        assert get(lake, "/v2/resources/r", **MEMBER) == row
        assert [link["rel"] for link in get(lake, "/v2/resources/r")["links"]] == ["self", "mine", "other"]


@pytest.mark.parametrize("headers", [{"X_Roles": "member"}, {"X_Roles": ""}, {"X_User_Id": "u1"}])
def test_members_without_a_project_see_nothing(lake: Lake, headers: dict[str, str]) -> None:
    """Who is no admin and of no project is refused, rather than shown everything."""
    assert ask(lake, "/v2/samples", **headers).status == 403


def test_members_statistics_are_of_their_project(lake: Lake) -> None:
    """Statistics count what may be seen."""
    assert [row["count"] for row in get(lake, "/v2/meters/cpu_util/statistics", **MEMBER)] == [15]


# what HTTP itself has to say


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("application/json", 200),
        ("text/html, application/*;q=0.5", 200),
        ("", 200),
        ("application/xml", 406),
        ("text/html, application/json;q=0", 406),
    ],
)
def test_what_clients_accept(lake: Lake, accept: str, status: int) -> None:
    """There is JSON, for whoever accepts that."""
    assert ask(lake, "/v2/meters", Accept=accept).status == status


@pytest.mark.parametrize("path", ["/v2/alarms", "/v2/alarms/1", "/v2/alarms/1/state", "/v2/query/alarms/history"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_alarms_are_gone(lake: Lake, path: str, method: str) -> None:
    """Alarms are not served any more, and that is said."""
    assert ask(lake, path, method=method).status == 410


def test_the_version_and_what_it_can_do(lake: Lake) -> None:
    """Clients find the version, and the capabilities by their names."""
    version = get(lake, "/v2/", Host="h:1")
    assert (version["id"], version["links"]) == ("v2", [{"rel": "self", "href": "http://h:1/v2"}])
    able = get(lake, "/v2/capabilities")
    assert able["api"]["samples:query:complex"] is True
    assert set(able) == {"api", "storage", "event_storage"}
    assert len(able["api"]) == 19
