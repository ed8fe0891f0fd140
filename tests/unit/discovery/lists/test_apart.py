"""Promises about lists that are parsed apart: what is found is what it was, and a child that lies is not believed."""

import io
import zipfile

import orjson
import pytest

from oathward.core import checked
from oathward.core.errors import InputError
from oathward.core.parsing import Parser, ParserError, held
from oathward.core.reasons import Reason
from oathward.discovery.lists import apart
from oathward.discovery.lists.mapping import Column, ColumnMap
from oathward.discovery.lists.opening import sources
from oathward.discovery.lists.proposing import propose
from oathward.discovery.lists.reading import How, MayDo, Product, Refused, Told, formats
from oathward.discovery.model import Fact, Mark, MarkKind, Statement

COLUMNS = ColumnMap(
    "cmms", (Column("Tag", "tag"), Column("MAC", "mac"), Column("Room", "location"), Column("ID", "account"))
)
HOW = How(
    realm="main",
    at_us=1_780_000_000_000_000,
    columns=COLUMNS,
    tag_system="https://house.example/tags",
)
VENDOR = How(realm="main", at_us=5, columns=ColumnMap("vendor", (Column("ID", "account"),), vendor="Acme"))
CSV = "Tag;MAC;Room;ID\n4711;00-1b-c5-00-0a-1f;Süd 3;a\n4712;no card;;b\nx;y\n".encode()
DEVICE = {
    "resourceType": "Device",
    "id": "d1",
    "identifier": [{"system": "https://house.example/tags", "value": "4711"}],
    "manufacturer": "Acme",
    "serialNumber": "SN1",
}
MUD = {
    "ietf-mud:mud": {
        "mud-url": "https://acme.example/pump.json",
        "from-device-policy": {"access-lists": {"access-list": [{"name": "out"}]}},
    },
    "ietf-access-control-list:acls": {
        "acl": [
            {
                "name": "out",
                "type": "ipv4-acl-type",
                "aces": {
                    "ace": [
                        {
                            "name": "a",
                            "matches": {"ipv4": {"destination-ipv4-network": "192.0.2.0/24"}},
                            "actions": {"forwarding": "accept"},
                        },
                        {"name": "b", "matches": {"ipv4": {"ttl": 5}}, "actions": {"forwarding": "accept"}},
                    ]
                },
            }
        ]
    },
}
GUDID = b"""<?xml version="1.0" encoding="UTF-8"?><devices><device xmlns="http://www.fda.gov/cdrh/gudid">
<identifiers><identifier><deviceId>00012345678905</deviceId><deviceIdType>Primary</deviceIdType></identifier></identifiers>
<brandName>Pump &amp; Co</brandName><companyName>Acme</companyName></device>
<device xmlns="http://www.fda.gov/cdrh/gudid"><brandName>none</brandName></device></devices>"""
NETBOX = orjson.dumps(
    {"results": [{"id": 1, "asset_tag": "4711", "device_type": {"model": "P1"}}, {"id": 2, "name": 5}]}
)


def zipped(*files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def read_here(name, how, *files):
    every = (one for n, data in enumerate(files) for one in sources(f"{n}.x", io.BytesIO(data)))
    return list(formats()[name].read(every, how))


def given(files, stack):
    for n, data in enumerate(files):
        with held(data) as fd:
            stack.append(n)
            yield f"{n}.x", fd


def read_apart(name, how, *files):
    with Parser(apart.MODULE, apart.asked(how, name), given(files, [])) as parser:
        found = apart.read(parser, how)
        return found.format, list(found.found)


@pytest.mark.parametrize(
    ("name", "how", "files"),
    [
        ("cmms", HOW, (CSV,)),
        ("cmms", HOW, (zipped(("a.csv", CSV), ("b.csv", b""), ("c.csv", CSV[:20])), CSV)),
        ("cmms", HOW, (b"\x1f\x8b\x08 no gzip", CSV)),
        ("vendor", VENDOR, (CSV,)),
        ("fhir", HOW, (orjson.dumps(DEVICE), orjson.dumps({"resourceType": "Patient"}))),
        ("netbox", HOW, (NETBOX,)),
        ("mud", HOW, (orjson.dumps(MUD), b"{")),
        ("gudid", HOW, (GUDID, GUDID[:400])),
    ],
)
def test_a_list_that_is_read_apart_says_what_it_says_here(name, how, files):
    here = read_here(name, how, *files)
    kinds = {type(one.what) if isinstance(one, Told) else Refused for one in here}
    assert kinds & {Statement, Product, MayDo}
    if not files[0].startswith(b"\x1f\x8b"):
        assert read_apart(name, how, *files) == (name, here)
    else:  # nothing of a first file that is broken is read
        with pytest.raises(InputError, match="gzip"):
            read_apart(name, how, *files)


def test_a_format_is_told_by_the_child_and_files_are_opened_when_they_are_asked_for():
    opened = []
    with Parser(apart.MODULE, apart.asked(HOW), given((NETBOX, NETBOX, NETBOX), opened)) as parser:
        found = apart.read(parser, HOW)
        assert (found.format, opened) == ("netbox", [0])
        assert len(list(found.found)) == 6
    assert opened == [0, 1, 2]


@pytest.mark.parametrize("data", [CSV, b"Date;ID\n01/02/2026;1\n"])
def test_a_proposal_made_apart_is_the_same(data):
    with Parser(apart.MODULE, apart.asked(HOW, propose_for="cmms"), given((data,), [])) as parser:
        [first] = sources("0.x", io.BytesIO(data))
        assert apart.proposal(parser) == propose(first)


def test_what_is_no_list_or_nothing_is_told():
    with pytest.raises(InputError) as error:
        read_apart("", HOW, b"\0\1\2")
    assert error.value.reason is Reason.FORMAT_UNSUPPORTED
    assert read_apart("", HOW, b"")[0] == ""
    assert read_apart("", HOW)[0] == ""


class Says(list):
    """A parser whose child says this."""


def said(*rows):
    return Says([{"format": "cmms"}, {"found": list(rows)}])


FINE = Statement(5, "cmms", "main", (Mark(MarkKind.TAG, "4711"),), (Fact("make", "Acme", 1.0),))
TAGGED = ["statement", "l.csv", 3, checked.plain(FINE)]


def told(**changed):
    values = {
        "at_us": 5,
        "source": "cmms",
        "realm": "main",
        "marks": [["TAG", "4711"]],
        "facts": [["make", "Acme", 1.0]],
        "segment": "",
        "behind": [],
    }
    return ["statement", "l.csv", 3, list((values | changed).values())]


def test_what_a_child_says_is_read_by_its_types():
    [found] = apart.read(said(told()), HOW).found
    assert (found, found.what) == (Told("l.csv", 3, FINE), FINE)
    assert told() == TAGGED


@pytest.mark.parametrize(
    "row",
    [
        told(realm="elsewhere"),
        told(source="gateway"),
        told(marks=[["DEVICE", "d1"]]),
        told(behind=[["DEVICE", "d1"]]),
        told(marks=[]),
        told(marks=[["tag", "4711"]]),
        told(marks=[["TAG", 4711]]),
        told(at_us=-1),
        told(at_us="ffffffffffffffffffff"),
        told(facts=[["make", "Acme", 2.0]]),
        told(facts=[["make", "Acme"]]),
        told()[:3],
        [*told()[:2], -3, told()[3]],
        [*told()[:2], "3", told()[3]],
        [5, *told()[1:]],
        ["secret", *told()[1:]],
        ["refused", "l.csv", 3, "x", "no-such-reason", "why"],
        ["product", "l.csv", 3, ["di"]],
        5,
        None,
    ],
)
def test_what_cannot_be_is_not_believed(row):
    with pytest.raises(ParserError, match="what cannot be"):
        list(apart.read(said(row), HOW).found)


@pytest.mark.parametrize("first", [{}, {"format": "none"}, {"format": 5}, {"found": []}])
def test_a_format_there_is_not_is_not_believed(first):
    with pytest.raises(ParserError):
        apart.read(Says([first]), HOW)
    with pytest.raises(ParserError):
        apart.proposal(Says([first]))


def test_texts_are_printable_and_short():
    row = ["refused", "a\x1b[2J", 3, "x" * 5_000, "VALUE_INVALID", "why"]
    [found] = apart.read(said(row), HOW).found
    assert found == Refused(
        "a\N{REPLACEMENT CHARACTER}[2J", 3, "x" * apart.TEXT_LENGTH_MAX, Reason.VALUE_INVALID, "why"
    )


def test_so_much_is_kept_of_a_list_and_no_more(monkeypatch):
    monkeypatch.setattr(apart, "FOUND_MAX", 2)
    row = ["refused", *checked.plain(Refused("0.x", 1, "", Reason.INPUT_INVALID, "why"))]
    assert len(list(apart.read(said(row, row), HOW).found)) == 2
    with pytest.raises(ParserError, match="more than can be kept") as error:
        list(apart.read(said(row, row, row), HOW).found)
    assert error.value.reason is Reason.LIMIT_EXCEEDED
