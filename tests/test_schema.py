"""The field dictionary is complete, consistent and what the tables really have."""

import json

import polars as pl
import pyarrow as pa
import pytest

from stackanalytics import schema
from stackanalytics.lake import create_lake, open_lake
from stackanalytics.lake.writing import GIVEN

DESIGNED = """
id generated_at instance request_id message_id deployment exchange event_type operation phase format routing_key
priority publisher_id service host tenant user resource state old_state task old_task image_type os_architecture
os_distro os_version rax_options instance_type instance_type_id instance_flavor_id memory_mb vcpus root_gb
ephemeral_gb launched_at deleted_at terminated_at audit_period_beginning audit_period_ending message
bandwidth_public_out status size created_at landed_at is_conflict body
""".split()  # noqa: SIM905  # so it can be laid beside the design


def test_columns_of_notifications() -> None:
    """The table has the public columns in their public order, the partition last."""
    assert list(schema.NOTIFICATIONS.fields) == DESIGNED
    assert schema.NOTIFICATIONS.schema.names == [*DESIGNED, "date"]


def test_lookups_have_statistics() -> None:
    """The columns that look-ups go by are among the first 32, for which Delta keeps statistics."""
    assert {"id", "generated_at", "instance", "request_id"} <= set(DESIGNED[:32])


@pytest.mark.parametrize("field", schema.FIELDS.values(), ids=lambda field: field.name)
def test_names_tell_types(field: schema.Field) -> None:
    """Instants end in _at (or are audit periods), durations in _s, flags begin with is_ or has_."""
    is_instant = field.name.endswith("_at") or field.name.startswith("audit_period_")
    assert is_instant == (field.type == schema.INSTANT)
    assert field.name.startswith(("is_", "has_")) == (field.type == pa.bool_())
    if field.name.endswith("_s"):
        assert (field.type, field.unit) == (pa.float64(), "s")


@pytest.mark.parametrize("field", schema.FIELDS.values(), ids=lambda field: field.name)
def test_every_field_is_explained(field: schema.Field) -> None:
    """Every field says what it means, in words that are no repetition of its name's entry."""
    assert field.meaning
    assert schema.FIELDS[field.name] is field
    assert not field.meaning.endswith(".")


def test_the_dictionary_cannot_be_changed() -> None:
    """Nobody can add to the dictionary or change an entry at run time."""
    with pytest.raises(TypeError):
        schema.FIELDS["other"] = schema.FIELDS["id"]  # type: ignore[index]  # that is what is refused
    with pytest.raises(AttributeError):
        schema.FIELDS["id"].name = "other"  # type: ignore[misc]  # likewise


def test_arrow_and_polars_schemas_agree() -> None:
    """A frame made of an Arrow table has the dtypes that the dictionary names for polars."""
    names = tuple(schema.FIELDS)
    assert dict(pl.DataFrame(schema.arrow_schema(*names).empty_table()).schema) == schema.polars_schema(*names)
    assert schema.polars_schema("generated_at") == {"generated_at": pl.Datetime("us", "UTC")}


def test_an_unknown_field_is_an_error() -> None:
    """A misspelt field name is no column of any type."""
    with pytest.raises(KeyError):
        schema.arrow_schema("generatedat")


def test_landing_gives_all_but_what_the_lake_gives() -> None:
    """What landing hands over and what the lake adds make up the table."""
    assert set(GIVEN) | {"id", "landed_at", "is_conflict"} == set(DESIGNED)


def test_stored_tables_have_the_schema(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A new lake answers with the dictionary's names and types."""
    folder = tmp_path_factory.mktemp("lake")
    create_lake(folder)
    with open_lake(folder) as lake:
        for table in schema.TABLES:
            found = lake.sql(f"select * from {table.view}")
            assert dict(found.schema) == schema.polars_schema(*table.fields, table.partition)
            assert found.is_empty()


def test_a_frame_tells_what_its_columns_are() -> None:
    """Columns carry meaning and unit, the table carries those of all; a column that is not known stays as it is."""
    frame = pl.DataFrame({"used_s": [1.5], "tenant": ["acme"], "own": [[1]]})

    table = schema.described(frame)

    assert pl.DataFrame(table).equals(frame)
    used_s, tenant = (schema.FIELDS[name].meaning for name in ("used_s", "tenant"))
    assert table.schema.field("used_s").metadata == {b"meaning": used_s.encode(), b"unit": b"s"}
    assert table.schema.field("tenant").metadata == {b"meaning": tenant.encode()}
    assert table.schema.field("own").metadata is None
    assert json.loads(table.schema.metadata[b"columns"]) == {
        "used_s": {"meaning": used_s, "unit": "s"},
        "tenant": {"meaning": tenant},
    }
