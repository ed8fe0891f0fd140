"""CSV in and out: by header names, errors by line and column, nothing for a spreadsheet to run."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.spreadsheet import unguarded
from oathward.inventory.model import Device, Status
from oathward.inventory.sheet import COLUMNS, parse, write

FINGERPRINT = "ab" * 32


def errors(text):
    return [(e.line, e.column) for e in parse(text.encode()).errors]


def test_columns_are_found_by_their_names():
    found = parse(
        "Asset-ID;Manufacturer;Serial Number;IP address;MSH-3;Fingerprint;ADT source;Tags\n"
        f"p1;Acme;'007;10.0.0.1;PUMP|ICU;{FINGERPRINT};Yes;icu; \n".replace("icu; ", "icu").encode()
    )
    assert found.errors == ()
    (device,) = found.devices
    assert (device.id, device.make, device.serial) == ("p1", "Acme", "007")
    assert device.addresses == {"10.0.0.1"}
    assert device.senders == {"PUMP|ICU"}
    assert device.certificates == {FINGERPRINT}
    assert device.authoritative_adt
    assert found.stated[0] == {
        "make",
        "serial",
        "addresses",
        "senders",
        "certificates",
        "authoritative_adt",
        "tags",
    }


def test_several_words_in_a_cell():
    (device,) = parse(b'id,tags,message types\np,"icu; ward 4;;",ORU^R01;ADT^*\n').devices
    assert device.tags == {"icu", "ward 4"}
    assert device.message_types == {"ORU^R01", "ADT^*"}


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("", [(1, "id")]),
        ("name\nx\n", [(1, "id")]),
        ("id,colour\np,red\n", [(1, "colour")]),
        ("id,name,device name\np,a,b\n", [(1, "name")]),
        ("id,status\np,broken\n", [(2, "status")]),
        ("id,authoritative adt\np,perhaps\n", [(2, "authoritative_adt")]),
        ("id\np\np\n", [(3, "id")]),
        (f"id,certificate\na,{FINGERPRINT}\nb,{FINGERPRINT}\n", [(3, "certificates")]),
        ("id,san\na,DNS:x\nb,DNS:x\n", [(3, "certificate_names")]),
        ("id,name\np,a,b\n", [(2, "")]),
        ('id,name\np,"a\n', [(2, "")]),
        ("id\np\0q\n", [(0, "")]),
        ("id,name\np,a\x07b\n", [(2, "name")]),
        ("id,addresses\na,10.0.0.1\nb,nowhere\nc c,\n", [(3, "addresses"), (4, "id")]),
    ],
)
def test_every_error_has_its_place(text, places):
    assert errors(text) == places


def test_bytes_that_are_not_text():
    assert [e.why for e in parse(b"id\n\xff\n").errors] == ["must be UTF-8"]


def test_an_error_does_not_repeat_a_cell():
    (error,) = parse(b"id,addresses\np,secret-value\n").errors
    assert "secret-value" not in error.why


def test_blank_lines_and_a_byte_order_mark_do_not_matter():
    found = parse("\ufeffid,name\r\n\r\np,x\r\n,\r\n".encode())
    assert (found.errors, found.lines) == ((), (3,))


@pytest.mark.parametrize("cell", ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1)", "\tx", "\rx", "'quoted"])
def test_no_cell_is_a_formula(cell):
    text = write([Device("p", name=cell)])
    (row,) = list(csv.DictReader(io.StringIO(text)))
    assert row["name"].startswith("'" + cell[0])
    assert unguarded(row["name"]) == cell
    assert "plain" in write([Device("p", name="plain")]).splitlines()[1].split(",")


@pytest.mark.parametrize(
    "cell", ["x;=cmd()", "x; +1", "x|@SUM(A1)", "x,-1", "a\uff1d;\uff1d1", "\uff1dcmd()"]
)
def test_no_part_of_a_cell_is_a_formula_where_another_separator_is_usual(cell):
    text = write([Device("p", name=cell)])
    assert not re.search(r"(^|[;,|\t] *)\"?[=+\-@\uff1d]", text, re.MULTILINE)
    assert parse(text.encode()).devices[0].name == cell


def test_reverse_a_plain_writer_would_write_it():
    out = io.StringIO()
    csv.writer(out).writerow(["=cmd()"])
    assert out.getvalue().startswith("=")


words = st.text(
    st.characters(categories=["L", "N", "P", "S"], exclude_characters=";"), min_size=1, max_size=12
)
texts = words.map(str.strip)
devices = st.builds(
    Device,
    id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
    name=texts,
    location=texts,
    status=st.sampled_from(list(Status)),
    tags=st.frozensets(words),
    senders=st.frozensets(words),
    certificates=st.frozensets(st.binary(min_size=32, max_size=32).map(bytes.hex)),
    authoritative_adt=st.booleans(),
)


@given(st.lists(devices, max_size=5, unique_by=lambda d: d.id))
def test_what_is_written_reads_back(some):
    found = parse(write(some).encode())
    doubles = [e for e in found.errors if "already" not in e.why]
    assert doubles == []
    assert list(found.devices) == some
    assert set(COLUMNS) == set(write([]).strip().split(","))
