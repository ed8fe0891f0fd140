"""Promises about flows on their way to the parent: what is sent comes, and whatever a captured reader sends is flows or a ``ValueError``."""

import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.discovery import columns
from oathward.discovery.columns import FLOWS_MAX, packed, unpacked
from oathward.discovery.model import FLOW_COLUMNS

SCHEMA = {name: getattr(pl, kind) for name, kind in FLOW_COLUMNS.items()}
OF = {
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "UInt16": st.integers(0, 65_535),
    "String": st.text(max_size=5),
    "Boolean": st.booleans(),
}
ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | OF[kind] for name, kind in FLOW_COLUMNS.items()}), max_size=4
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=3),
    lambda of: st.lists(of, max_size=4) | st.dictionaries(st.text(max_size=3), of, max_size=3),
    max_leaves=6,
)
EMPTY = dict.fromkeys(FLOW_COLUMNS)


def said(rows, **values):
    return orjson.dumps({"rows": rows, "columns": EMPTY | values})


@given(rows=ROWS)
def test_what_is_sent_is_what_comes(rows):
    flows = pl.DataFrame(rows, schema=SCHEMA)
    assert unpacked(packed(flows)).equals(flows)


def test_a_column_of_one_value_is_that_value():
    flows = pl.DataFrame([EMPTY | {"realm": "main", "start_us": n} for n in range(1_000)], schema=SCHEMA)
    assert packed(flows).count(b"main") == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"7",
        b"\xff\xfe",
        said(True),
        said(-1),
        said(1.0),
        said(FLOWS_MAX + 1),
        said(2, start_us=[1]),
        said(1, start_us=["1"]),
        said(1, start_us=1.5),
        said(1, start_us=[[]]),
        said(1, start_us=2**63),
        said(1, port=65_536),
        said(1, port=[-1]),
        said(1, realm=5),
        said(1, realm={}),
        said(1, answered="yes"),
        said(1, more=1),
        orjson.dumps({"rows": 1, "columns": dict.fromkeys(reversed(FLOW_COLUMNS))}),
        orjson.dumps({"rows": 1, "columns": {name: None for name in FLOW_COLUMNS if name != "port"}}),
        orjson.dumps({"rows": 1, "columns": list(FLOW_COLUMNS)}),
    ],
)
def test_what_is_no_flows_is_refused(data):
    with pytest.raises(ValueError, match=r"."):
        unpacked(data)


@given(name=st.sampled_from(list(FLOW_COLUMNS)), value=ODD, rows=st.integers(0, 4))
def test_no_value_ends_whoever_reads_it(name, value, rows):
    try:
        found = unpacked(said(rows, **{name: value}))
    except ValueError:
        return
    assert dict(found.schema) == SCHEMA
    assert found.height == rows


@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_no_bytes_end_whoever_reads_them(at, byte):
    data = bytearray(packed(pl.DataFrame([EMPTY | {"realm": "r", "port": 5}] * 3, schema=SCHEMA)))
    data[at % len(data)] = byte
    try:
        found = unpacked(bytes(data))
    except ValueError:
        return
    assert dict(found.schema) == SCHEMA


@pytest.mark.parametrize("mark", [b"[", b"{", b","])
def test_more_than_a_part_has_is_not_built(mark, monkeypatch):
    """A few bytes each become an object of many: counted before they are read."""
    monkeypatch.setattr(columns, "orjson", None)
    with pytest.raises(ValueError, match="flows"):
        unpacked(mark * (columns._PARTS_MAX + 1))


def test_more_bytes_than_a_part_has_are_not_read(monkeypatch):
    monkeypatch.setattr(columns, "orjson", None)
    monkeypatch.setattr(columns, "FLOWS_BYTES_MAX", 10)
    with pytest.raises(ValueError, match="flows"):
        unpacked(b" " * 11)
