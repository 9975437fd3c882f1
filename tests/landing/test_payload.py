"""What payloads tell becomes the same columns, whichever service wrote them and however they are read."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landed import Rows

from stackanalytics.landing.form import Message
from stackanalytics.landing.reading import Reading

RowsOf = Callable[..., Rows]

INSTANCE = "9f2c3e1a-0000-4000-8000-000000000001"
OTHER = "9f2c3e1a-0000-4000-8000-000000000002"


def _read(event_type: str, payload: object, **beside: object) -> dict[str, Any]:
    """Read one body into its row, without landing it."""
    reading = Reading()
    body = {"event_type": event_type, "timestamp": "2026-03-02 10:00:00", "payload": payload, **beside}
    if not reading.add_bare([json.dumps(body).encode()], [0]):
        assert not reading.add([Message(json.dumps(body))], [0])
    [row] = reading.notifications()[0].rows.to_pylist()
    found: dict[str, Any] = row
    return found


def _versioned(**data: object) -> dict[str, object]:
    return {
        "nova_object.name": "X",
        "nova_object.namespace": "nova",
        "nova_object.version": "1.0",
        "nova_object.data": data,
    }


# where the instance hides


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"instance_id": INSTANCE}, INSTANCE),
        ({"instance_id": OTHER, "instance_uuid": INSTANCE}, INSTANCE),
        ({"instance_id": INSTANCE, "instance_uuid": None}, INSTANCE),
        ({"instance_id": INSTANCE, "instance_uuid": ""}, INSTANCE),
        ({"exception": {"kwargs": {"uuid": INSTANCE, "code": 404}}}, INSTANCE),
        ({"instance_id": INSTANCE, "exception": {"kwargs": {"uuid": OTHER}}}, INSTANCE),
        ({"instance": {"uuid": INSTANCE, "name": "x"}}, INSTANCE),
        ({"exception": "NotFound", "args": {"instance": {"uuid": INSTANCE}, "context": {}}}, INSTANCE),
        ({"request_spec": {"instance_uuids": [INSTANCE, OTHER]}}, INSTANCE),
        ({"request_spec": {"instance_properties": {"uuid": INSTANCE}, "image": {}}}, INSTANCE),
        ({"request_spec": {"instance_uuids": [], "instance_properties": {"uuid": INSTANCE}}}, INSTANCE),
        ({"exception": None, "instance": None}, None),
        ({"exception": {"kwargs": None}, "args": []}, None),
        ({"uuid": OTHER}, None),
    ],
)
def test_places_of_the_instance(payload: object, expected: str | None) -> None:
    """The first of the known places that is not empty tells the instance."""
    for event_type in ("compute.instance.update", "scheduler.run_instance.start", "compute_task.build_instances"):
        assert _read(event_type, payload)["instance"] == expected


def test_instance_of_a_wrapped_exception() -> None:
    """A notification named after a function of nova has its instance in the arguments."""
    payload = {"exception": {"kwargs": {"code": 500}}, "args": {"instance": {"uuid": INSTANCE}, "reason": "x"}}
    row = _read("terminate_instance", payload)
    assert (row["instance"], row["resource"], row["exchange"]) == (INSTANCE, INSTANCE, "nova")


def test_instance_of_a_versioned_payload() -> None:
    """`uuid` is the instance in the versioned payloads of instances, and only there."""
    assert _read("instance.create.end", _versioned(uuid=INSTANCE))["instance"] == INSTANCE
    row = _read("server_group.create", _versioned(uuid=OTHER))
    assert (row["instance"], row["resource"]) == (None, OTHER)


# columns of nova


LEGACY = {
    "instance_id": INSTANCE,
    "tenant_id": "tenant",
    "user_id": "user",
    "state": "active",
    "old_state": "building",
    "new_task_state": "deleting",
    "old_task_state": "spawning",
    "instance_type": "m1.small",
    "instance_type_id": 2,
    "instance_flavor_id": "42",
    "memory_mb": 2048,
    "vcpus": 1,
    "root_gb": 20,
    "ephemeral_gb": 0,
    "created_at": "2026-03-01 09:15:01+00:00",
    "launched_at": "2026-03-01T09:16:00.123456",
    "deleted_at": "2026-03-02 09:00:00",
    "terminated_at": "",
    "audit_period_beginning": "2026-03-01 00:00:00",
    "audit_period_ending": "2026-03-02 00:00:00",
    "message": "Success",
    "bandwidth": {"public": {"bw_in": 1, "bw_out": 12345}},
    "image_meta": {
        "image_type": "base",
        "os_type": "linux",
        "os_distro": "ubuntu",
        "org.openstack__1__architecture": "x64",
        "org.openstack__1__os_distro": "com.ubuntu",
        "org.openstack__1__os_version": "24.04",
        "com.rackspace__1__options": "36",
        "min_disk": "20",
    },
}
LEGACY_ROW = {
    "instance": INSTANCE,
    "resource": INSTANCE,
    "tenant": "tenant",
    "user": "user",
    "state": "active",
    "old_state": "building",
    "task": "deleting",
    "old_task": "spawning",
    "instance_type": "m1.small",
    "instance_type_id": "2",
    "instance_flavor_id": "42",
    "memory_mb": 2048,
    "vcpus": 1,
    "root_gb": 20,
    "ephemeral_gb": 0,
    "created_at": "2026-03-01 09:15:01",
    "launched_at": "2026-03-01 09:16:00.123456",
    "deleted_at": "2026-03-02 09:00:00",
    "terminated_at": None,
    "audit_period_beginning": "2026-03-01 00:00:00",
    "audit_period_ending": "2026-03-02 00:00:00",
    "message": "Success",
    "bandwidth_public_out": 12345,
    "image_type": 0x111,
    "os_architecture": "x64",
    "os_distro": "com.ubuntu",
    "os_version": "24.04",
    "rax_options": "36",
    "format": "legacy",
    "exchange": "nova",
}


def _shown(row: dict[str, Any], names: Iterable[str] = ()) -> dict[str, Any]:
    """Return some columns of a row, instants as text."""
    return {
        name: value.strftime("%Y-%m-%d %H:%M:%S.%f").removesuffix(".000000") if hasattr(value, "strftime") else value
        for name, value in row.items()
        if name in names
    }


def test_columns_of_a_legacy_payload() -> None:
    """Each field of nova's legacy payload has its column."""
    assert _shown(_read("compute.instance.exists", LEGACY), LEGACY_ROW) == LEGACY_ROW


def test_columns_of_a_versioned_payload() -> None:
    """The same facts in nova's versioned format, where they are nested, give the same columns."""
    payload = _versioned(
        uuid=INSTANCE,
        tenant_id="tenant",
        user_id="user",
        state="active",
        state_update=_versioned(
            old_state="building", state="active", new_task_state="deleting", old_task_state="spawning"
        ),
        flavor=_versioned(name="m1.small", flavorid="42", memory_mb=2048, vcpus=1, root_gb=20, ephemeral_gb=0, swap=0),
        created_at="2026-03-01T09:15:01Z",
        launched_at="2026-03-01T09:16:00.123456Z",
        deleted_at="2026-03-02T09:00:00Z",
        terminated_at=None,
        audit_period=_versioned(
            audit_period_beginning="2026-03-01T00:00:00Z", audit_period_ending="2026-03-02T00:00:00Z"
        ),
        bandwidth=[
            _versioned(network_name="private", in_bytes=1, out_bytes=2),
            _versioned(network_name="public", in_bytes=1, out_bytes=12345),
        ],
        request_id="req-payload",
    )
    row = _shown(_read("instance.exists", payload), {*LEGACY_ROW, "request_id", "operation"})
    not_told = {"image_type": 0, "instance_type_id": None, "message": None}
    not_told |= dict.fromkeys(("os_architecture", "os_distro", "os_version", "rax_options"))
    told = {"format": "versioned", "request_id": "req-payload", "operation": "compute.instance.exists"}
    assert row == LEGACY_ROW | not_told | told


def test_time_of_a_stack() -> None:
    """Heat tells when a stack was created under a name of its own."""
    row = _read("orchestration.stack.create.end", {"stack_identity": "stk", "create_at": "2026-03-02T09:00:00"})
    assert _shown(row, ["created_at"]) == {"created_at": "2026-03-02 09:00:00"}


def test_fault_of_a_versioned_payload() -> None:
    """The message of a failure is that of its exception."""
    fault = _versioned(exception="NoValidHost", exception_message="No valid host", function_name="f")
    row = _read("instance.create.error", _versioned(uuid=INSTANCE, fault=fault))
    assert (row["message"], row["phase"]) == ("No valid host", "error")


@pytest.mark.parametrize(
    ("bandwidth", "expected"),
    [
        ({"public": {"bw_out": 5}}, 5),
        ({"public": {"bw_out": "5"}}, 5),
        ({"private": {"bw_out": 5}}, None),
        ({"public": {}}, None),
        ({"public": None}, None),
        ({}, None),
        (None, None),
        ([], None),
        ("", None),
    ],
)
def test_bandwidth(bandwidth: object, expected: int | None) -> None:
    """Only what went out to the public network counts, as a number or as text; nothing told is null."""
    assert _read("compute.instance.exists", {"bandwidth": bandwidth})["bandwidth_public_out"] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (512, 512),
        ("512", 512),
        (" 512 ", 512),
        ("512.0", 512),
        (512.0, 512),
        (-1, -1),
        (2**63 - 1, 2**63 - 1),
        (512.5, None),
        ("512.5", None),
        ("512 MB", None),
        ("", None),
        (True, None),
        (2**63, None),
        ([512], None),
        ({}, None),
        (None, None),
    ],
)
def test_numbers(value: object, expected: int | None) -> None:
    """A whole number counts however it is written; what is none costs that column and nothing else."""
    for event_type in ("compute.instance.update", "instance.update", "volume.create.end", "image.upload"):
        row = _read(event_type, {"size": value, "tenant_id": "t"})
        assert (row["size"], row["tenant"]) == (expected, "t")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("abc", "abc"), ("", None), (None, None), (5, "5"), (True, None), (0.5, None), (["abc"], None), ({"a": 1}, None)],
)
def test_texts(value: object, expected: str | None) -> None:
    """Text and whole numbers become text; the empty text is null; all else costs that column only."""
    for event_type in ("compute.instance.update", "instance.update", "volume.create.end", "stack.x"):
        row = _read(event_type, {"user_id": value, "tenant_id": "t"})
        assert (row["user"], row["tenant"]) == (expected, "t")


def test_tenant_and_user_of_the_payload_come_first() -> None:
    """The owner in the payload wins over the caller in the context, which is the last resort."""
    caller = {
        "_context_project_id": "caller",
        "_context_tenant": "former",
        "_context_user_id": "me",
        "_context_user": "i",
    }
    owned = _read("compute.instance.update", {"tenant_id": "owner", "user_id": "her"}, **caller)
    assert (owned["tenant"], owned["user"]) == ("owner", "her")
    for nothing in ({}, {"tenant_id": None, "user_id": None}, {"tenant_id": "", "user_id": ""}, "text", None):
        row = _read("compute.instance.update", nothing, **caller)
        assert (row["tenant"], row["user"]) == ("caller", "me")
    row = _read("compute.instance.update", {}, _context_tenant="former", _context_user="i")
    assert (row["tenant"], row["user"]) == ("former", "i")


# other services


@pytest.mark.parametrize(
    ("event_type", "payload", "expected"),
    [
        pytest.param(
            "image.upload",
            {"id": "img", "owner": "ten", "status": "active", "size": 7, "created_at": "2026-03-01T00:00:00Z"},
            {"exchange": "glance", "resource": "img", "tenant": "ten", "status": "active", "size": 7},
            id="glance image",
        ),
        pytest.param(
            "image.activate",
            {"id": "img", "owner": "ten", "properties": {"instance_uuid": INSTANCE, "image_type": "snapshot"}},
            {"resource": "img", "instance": INSTANCE, "tenant": "ten"},
            id="glance snapshot",
        ),
        pytest.param(
            "image.send",
            {"image_id": "img", "owner_id": "ten", "bytes_sent": 7, "receiver_tenant_id": "other"},
            {"resource": "img", "tenant": "ten", "size": None},
            id="glance send",
        ),
        pytest.param(
            "image.upload",
            "Error in store configuration",
            {"exchange": "glance", "resource": None, "tenant": None, "image_type": 0},
            id="glance error",
        ),
        pytest.param(
            "image.exists",
            {"owner": "ten", "audit_period_beginning": "2026-03-01 00:00:00", "images": [{"id": "img", "size": 7}]},
            {"tenant": "ten", "resource": None, "size": None},
            id="glance exists tells of many",
        ),
        pytest.param(
            "volume.create.end",
            {"volume_id": "vol", "tenant_id": "ten", "user_id": "usr", "size": "2", "status": "available"},
            {"exchange": "cinder", "resource": "vol", "tenant": "ten", "user": "usr", "size": 2, "status": "available"},
            id="cinder volume",
        ),
        pytest.param(
            "volume.attach.end",
            {"volume_id": "vol", "tenant_id": "ten", "volume_attachment": [{"instance_uuid": INSTANCE}]},
            {"resource": "vol", "instance": None},
            id="cinder attachment is no instance's notification",
        ),
        pytest.param(
            "snapshot.create.end",
            {"snapshot_id": "snp", "volume_id": "vol", "tenant_id": "ten", "deleted": ""},
            {"exchange": "cinder", "resource": "snp", "tenant": "ten"},
            id="cinder snapshot",
        ),
        pytest.param(
            "backup.create.end",
            {"backup_id": "bak", "volume_id": "vol", "tenant_id": "ten"},
            {"exchange": "cinder", "resource": "bak", "tenant": "ten"},
            id="cinder backup",
        ),
        pytest.param(
            "volume_type.create",
            {"volume_types": {"id": "typ", "name": "fast"}},
            {"exchange": "cinder", "resource": "typ"},
            id="cinder volume type",
        ),
        pytest.param(
            "volume.usage",
            {"volume_id": "vol", "instance_id": INSTANCE, "tenant_id": "ten"},
            {"exchange": "nova", "resource": "vol", "instance": INSTANCE, "tenant": "ten"},
            id="nova volume usage",
        ),
        pytest.param(
            "port.create.end",
            {"port": {"id": "prt", "tenant_id": "ten", "status": "DOWN", "device_id": INSTANCE}},
            {"exchange": "neutron", "resource": "prt", "tenant": "ten", "status": "DOWN"},
            id="neutron port",
        ),
        pytest.param(
            "port.create.start",
            {"port": {"network_id": "net", "tenant_id": "ten"}},
            {"resource": None, "tenant": "ten"},
            id="neutron request",
        ),
        pytest.param(
            "port.create.end",
            {"ports": [{"id": "one", "tenant_id": "ten"}, {"id": "two", "tenant_id": "ten"}]},
            {"resource": None},
            id="neutron bulk of many",
        ),
        pytest.param(
            "network.create.end",
            {"networks": [{"id": "net", "tenant_id": "ten"}]},
            {"resource": "net", "tenant": "ten"},
            id="neutron bulk of one",
        ),
        pytest.param("port.delete.start", {"port_id": "prt"}, {"resource": "prt"}, id="neutron delete"),
        pytest.param(
            "port.delete.end",
            {"port_id": "prt", "port": {"id": "prt", "tenant_id": "ten"}},
            {"resource": "prt", "tenant": "ten"},
            id="neutron delete with the port",
        ),
        pytest.param(
            "floatingip.update.end",
            {"floatingip": {"id": "fip", "port_id": "prt", "router_id": "rtr", "tenant_id": "ten", "status": "ACTIVE"}},
            {"resource": "fip", "tenant": "ten", "status": "ACTIVE"},
            id="neutron floating ip",
        ),
        pytest.param(
            "security_group_rule.create.end",
            {"security_group_rule": {"id": "rul", "security_group_id": "grp", "project_id": "ten"}},
            {"exchange": "neutron", "resource": "rul", "tenant": "ten"},
            id="neutron rule",
        ),
        pytest.param(
            "router.interface.create",
            {"router_interface": {"id": "rtr", "subnet_id": "sub", "port_id": "prt", "tenant_id": "ten"}},
            {"resource": "rtr", "tenant": "ten"},
            id="neutron router interface",
        ),
        pytest.param(
            "l3.meter",
            {"label_id": "lbl", "tenant_id": "ten", "bytes": 5, "pkts": 1, "first_update": 1393146000},
            {"exchange": "neutron", "resource": "lbl", "tenant": "ten"},
            id="neutron meter",
        ),
        pytest.param(
            "identity.user.created",
            {"resource_info": "usr"},
            {"exchange": "keystone", "resource": "usr"},
            id="keystone basic",
        ),
        pytest.param(
            "identity.authenticate",
            {
                "id": "openstack:event",
                "eventTime": "2026-03-02T10:00:00.000000+0000",
                "outcome": "failure",
                "target": {"id": "openstack:target", "typeURI": "service/security/account/user"},
                "initiator": {"id": "derived", "user_id": "usr", "project_id": "ten", "request_id": "req-1"},
            },
            {
                "resource": "openstack:target",
                "user": "usr",
                "tenant": "ten",
                "request_id": "req-1",
                "status": "failure",
            },
            id="keystone audit",
        ),
        pytest.param(
            "identity.project.updated",
            {"id": "event", "resource_info": "prj", "target": {"id": "openstack:x"}, "initiator": {"id": "usr"}},
            {"resource": "prj", "user": "usr"},
            id="keystone audit with its resource",
        ),
        pytest.param(
            "orchestration.stack.create.end",
            {
                "stack_identity": "stk",
                "tenant_id": "ten",
                "user_id": "demo",
                "user_identity": "usr",
                "state": "CREATE_COMPLETE",
                "create_at": "2026-03-02T09:00:00",
            },
            {"exchange": "heat", "resource": "stk", "tenant": "ten", "user": "usr", "status": "CREATE_COMPLETE"},
            id="heat",
        ),
        pytest.param(
            "orchestration.stack.create.end",
            {"stack_identity": "arn:openstack:heat::ten:stacks/web/stk", "tenant_id": "ten", "user_id": "demo"},
            {"resource": "stk", "user": "demo"},
            id="heat of old",
        ),
        pytest.param(
            "magnum.cluster.create",
            {"id": "event", "target": {"id": "cls"}, "initiator": {"project_id": "ten", "user_id": "usr"}},
            {"exchange": "magnum", "resource": "cls", "tenant": "ten", "user": "usr"},
            id="magnum",
        ),
        pytest.param(
            "objectstore.http.request",
            {"id": "event", "target": {"id": "account"}, "initiator": {"project_id": "ten"}, "measurements": []},
            {"exchange": "swift", "resource": "account", "tenant": "ten"},
            id="swift",
        ),
        pytest.param(
            "share.create.end",
            {"share_id": "shr", "project_id": "ten", "size": 5},
            {"exchange": "manila", "resource": "shr", "tenant": "ten", "size": 5},
            id="manila",
        ),
        pytest.param(
            "trove.instance.create",
            {"instance_id": "trv", "nova_instance_id": INSTANCE, "tenant_id": "ten"},
            {"exchange": "trove", "resource": "trv", "instance": INSTANCE, "tenant": "ten"},
            id="trove",
        ),
        pytest.param(
            "baremetal.node.power_set.end",
            {"ironic_object.data": {"uuid": "nod", "instance_uuid": INSTANCE}, "ironic_object.name": "X"},
            {"exchange": "ironic", "resource": "nod", "instance": INSTANCE, "format": "versioned"},
            id="ironic",
        ),
        pytest.param(
            "hardware.ipmi.metrics",
            {"node_uuid": "nod", "instance_uuid": INSTANCE, "payload": {"Temperature": {}}},
            {"exchange": "ironic", "resource": "nod"},
            id="ironic sensors",
        ),
        pytest.param(
            "dns.zone.create",
            {"id": "zon", "tenant_id": "ten", "status": "PENDING"},
            {"exchange": "designate", "resource": "zon", "tenant": "ten", "status": "PENDING"},
            id="designate",
        ),
        pytest.param(
            "octavia.loadbalancer.create.end",
            {"loadbalancer_id": "lb", "project_id": "ten", "vip": {"vip_address": "10.0.0.1"}},
            {"exchange": "octavia", "resource": "lb", "tenant": "ten"},
            id="octavia",
        ),
        pytest.param(
            "sahara.cluster.create",
            {"cluster_id": "cls", "project_id": "ten", "user_id": "usr"},
            {"exchange": "sahara", "resource": "cls", "tenant": "ten", "user": "usr"},
            id="sahara",
        ),
    ],
)
def test_other_services(event_type: str, payload: object, expected: dict[str, object]) -> None:
    """The notifications of each service tell what they are about and whose it is."""
    row = _read(event_type, payload)
    assert {name: row[name] for name in expected} == expected


# one way of reading and the other


TEXTS = st.sampled_from(["", "a", "active", "é", None])
TIMES = st.sampled_from(
    ["", None, "2026-03-01 09:15:01+00:00", "2026-03-01T09:16:00.123456", "2026-03-01 09:16:00", "no"]
)
COUNTS = st.one_of(st.none(), st.integers(0, 100_000))
IDS = st.one_of(TEXTS, st.integers(0, 1000))
META = st.fixed_dictionaries(
    {},
    optional={
        "image_type": st.sampled_from(["base", "snapshot", "import", "", None]),
        "os_type": st.sampled_from(["linux", "windows", "", None]),
        "os_distro": st.sampled_from(["ubuntu", "", None]),
        "org.openstack__1__architecture": TEXTS,
        "com.rackspace__1__options": TEXTS,
        "min_disk": st.just("20"),
    },
)
UUIDS = st.sampled_from([INSTANCE, OTHER, "", None])
NOVA: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("instance_id", "instance_uuid"), UUIDS),
        **dict.fromkeys(("tenant_id", "project_id", "user_id", "state", "old_state", "new_task_state"), TEXTS),
        **dict.fromkeys(("os_type",), st.sampled_from(["linux", "windows", "", None])),
        **dict.fromkeys(("instance_type", "message", "old_task_state", "display_name", "progress"), TEXTS),
        **dict.fromkeys(("instance_type_id", "instance_flavor_id"), IDS),
        **dict.fromkeys(("memory_mb", "vcpus", "root_gb", "ephemeral_gb", "disk_gb"), COUNTS),
        **dict.fromkeys(("created_at", "launched_at", "deleted_at", "terminated_at"), TIMES),
        **dict.fromkeys(("audit_period_beginning", "audit_period_ending"), TIMES),
        "image_meta": META | st.none(),
        "metadata": st.sampled_from([[], {}, [{"key": "a", "value": "b"}]]),
        "bandwidth": st.sampled_from([None, {}, {"public": {"bw_out": 5}}, {"public": {"bw_out": "5"}}, {"x": {}}]),
        "exception": st.sampled_from([None, "NotFound", {"kwargs": {"uuid": OTHER}}, {"kwargs": {"code": 404}}]),
        "args": st.sampled_from([None, {}, {"instance": {"uuid": OTHER}}]),
        "instance": st.sampled_from([None, {}, {"uuid": OTHER}]),
        "request_spec": st.sampled_from(
            [None, {}, {"instance_uuids": [OTHER]}, {"instance_uuids": []}, {"instance_properties": {"uuid": OTHER}}]
        ),
    },
)
OBJECTS = {
    "state_update": dict.fromkeys(("state", "old_state", "new_task_state", "old_task_state"), TEXTS),
    "audit_period": dict.fromkeys(("audit_period_beginning", "audit_period_ending"), TIMES),
    "flavor": {
        **dict.fromkeys(("name", "flavorid"), TEXTS),
        **dict.fromkeys(("memory_mb", "vcpus", "root_gb", "ephemeral_gb", "swap"), COUNTS),
    },
    "fault": dict.fromkeys(("exception_message", "function_name"), TEXTS),
}
VERSIONED = st.fixed_dictionaries(
    {},
    optional={
        "uuid": UUIDS,
        **dict.fromkeys(("tenant_id", "user_id", "state", "task_state", "os_type", "request_id"), TEXTS),
        **dict.fromkeys(("created_at", "launched_at", "deleted_at", "terminated_at"), TIMES),
        **dict.fromkeys(("memory_mb", "instance_id", "old_state", "message", "image_meta"), st.none() | TEXTS),
        **{
            name: st.none()
            | st.just({})
            | st.fixed_dictionaries({}, optional=fields).map(lambda data: _versioned(**data))
            for name, fields in OBJECTS.items()
        },
        "bandwidth": st.none()
        | st.lists(
            st.fixed_dictionaries(
                {}, optional={"network_name": st.sampled_from(["public", "private", None]), "out_bytes": COUNTS}
            ).map(lambda data: _versioned(**data)),
            max_size=3,
        ),
    },
)
THING = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("id", "tenant_id", "project_id", "status", "device_id"), TEXTS),
        "created_at": TIMES,
    },
)
COMMON = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("id", "tenant_id", "owner", "owner_id", "user_id", "status", "volume_id"), TEXTS),
        **dict.fromkeys(("snapshot_id", "image_id", "port_id", "os_type"), TEXTS),
        **dict.fromkeys(("created_at", "launched_at", "deleted_at", "audit_period_beginning"), TIMES),
        "instance_uuid": UUIDS,
        "size": COUNTS,
        "properties": META | st.just({"instance_uuid": INSTANCE}) | st.none(),
        "volume_attachment": st.just([{"instance_uuid": OTHER}]),
    },
)


def _columns(event_type: str, payload: object) -> dict[str, Any]:
    row = _read(event_type, payload)
    del row["body"]
    return row


@settings(max_examples=300)
@given(NOVA, st.sampled_from(["compute.instance.update", "compute_task.build_instances", "scheduler.run_instance"]))
def test_nova_is_read_alike_in_both_ways(payload: dict[str, Any], event_type: str) -> None:
    """A value of an unexpected type makes a payload of nova be read value by value: to the same columns."""
    assert _columns(event_type, payload | {"status": []}) == _columns(event_type, payload | {"status": None})


@settings(max_examples=300)
@given(VERSIONED)
def test_versioned_payloads_are_read_alike_in_both_ways(data: dict[str, Any]) -> None:
    """The same for nova's versioned format."""
    event_type = "instance.update"
    assert _columns(event_type, _versioned(**data, status=[])) == _columns(event_type, _versioned(**data, status=None))


def test_null_in_an_update_hides_nothing() -> None:
    """What a part of a versioned payload leaves null is told by the payload itself, however it is read."""
    data = {"uuid": INSTANCE, "state": "active", "state_update": _versioned(state=None, old_state="building")}
    for status in (None, []):
        row = _read("instance.update", _versioned(**data, status=status))
        assert (row["state"], row["old_state"]) == ("active", "building")


@given(COMMON, st.sampled_from(["volume.create.end", "snapshot.create.end", "image.upload", "port.delete.start"]))
def test_other_payloads_are_read_alike_in_both_ways(payload: dict[str, Any], event_type: str) -> None:
    """The same for the flat payloads of cinder, glance and neutron."""
    assert _columns(event_type, payload | {"message": []}) == _columns(event_type, payload)


@given(THING, st.sampled_from(["port", "network", "subnet", "security_group_rule"]))
def test_wrapped_payloads_are_read_alike_in_both_ways(thing: dict[str, Any], word: str) -> None:
    """The same for the wrapped payloads of neutron."""
    event_type = f"{word}.update.end"
    assert _columns(event_type, {word: thing, "id": []}) == _columns(event_type, {word: thing, "id": None})
