"""Promises about a parser of ours that is called apart: it gives the same, its answers are bounded, and what no file could have said is not believed."""

import dataclasses
import json
from contextlib import nullcontext, suppress
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from oathward.accesses import roster
from oathward.consent import sheet as consents
from oathward.consent.fhir import sets
from oathward.core import checked, foreign
from oathward.core.errors import InputError
from oathward.core.parsing import ParserError
from oathward.core.reasons import Reason
from oathward.discovery.lists import mapping
from oathward.governance import sheet as governance
from oathward.inventory import keys
from oathward.inventory import sheet as devices
from oathward.people import sheet as people
from oathward.uploads import sheet as uploads
from oathward.uploads.model import Source
from oathward.vault import care_sheet

NOW_US = 1_790_000_000_000_000
NEEDED = ("kind", "id")
CONSENT = {
    "resourceType": "Consent",
    "status": "active",
    "scope": {
        "coding": [
            {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
        ]
    },
    "patient": {"identifier": {"system": "urn:oid:2.16.840.1.113883.19.5", "value": "4711"}},
    "provision": {"type": "deny"},
}
KEY = json.dumps(ECKey.generate_key("P-384", {"kid": "k"}).as_dict(private=False)).encode()

CALLS = {
    "devices": (devices.parse_apart, devices.parse, f"id,kind,certificates\np1,pump,{'a' * 64}\np2,hub,{'b' * 64}\n", ()),
    "consents": (consents.parse_apart, consents.parse, "identifier,authority,permit\n4711,HOSP,no\n", ()),
    "shifts": (care_sheet.parse_apart, care_sheet.parse, "person,unit,patient,from,until\n1,icu,,2026-05-04T07:00Z,2026-05-05T07:00Z\n", ()),
    "roster": (roster.parse_apart, roster.parse, "number,unit,from,until\n1,icu,2026-05-04T07:00Z,2026-05-05T07:00Z\n", ("r",)),
    "uploads": (uploads.parse_apart, uploads.parse, "maker,classes,first,last\nAcme,observation.value,2026-05-04T07:00Z,2026-05-04T08:00Z\n", (NOW_US, Source.OBSERVED)),
    "entries": (governance.cells_apart, governance.cells_of, "kind,id,title\nlink,a,One\n", (governance.ENTRY_COLUMNS, NEEDED)),
    "people": (people.parse_apart, people.parse, "number,name,units,provider_subject\n1,Anna,icu;er,s\n2,Ben,,\n", ("https://idp.example",)),
    "first people": (people.table_apart, people.table, "number,name\n1,Anna\n", ()),
    "mapping": (mapping.read_apart, mapping.read, 'list = "cmms"\n[columns]\n"Asset" = "tag"\n', ()),
    "a certificate": (keys.fingerprint_apart, keys.fingerprint, "none", ()),
    "a key": (keys.read_apart, keys.read, KEY.decode(), ()),
}  # fmt: skip


def outcome(parse, data, *arguments):
    """What it gives, or its error."""
    try:
        return plain(parse(data, *arguments))
    except InputError as error:
        return error.where, error.why, error.reason


def plain(found):
    """As it may be compared: the ids of consents are new each time."""
    if isinstance(found, consents.Sheet):
        rows = [(r.line, r.identifier, dataclasses.replace(r.statement.fact, id="")) for r in found.rows]
        return rows, found.errors
    return found


@pytest.mark.parametrize("what", CALLS)
@pytest.mark.parametrize("more", ["", "\x1b[2J,\x1b]0;x\x07,\n", "\0", '"'])
def test_it_gives_what_its_parser_gives(what, more):
    apart, here, text, arguments = CALLS[what]
    data = text.encode() + more.encode()
    assert outcome(apart, data, *arguments) == outcome(here, data, *arguments)


def test_consents_of_several_files_come_with_their_own_bytes():
    other = CONSENT | {"patient": {"identifier": {"system": "urn:x", "value": "4712"}}}
    files = [("a\x1b.json", orjson.dumps(CONSENT)), ("b.json", orjson.dumps(other)), ("c.json", b"[")]
    found = sets.gather_apart(iter(files), "Europe/Berlin", "", NOW_US)
    assert [(one.file, one.body.reveal()) for one in found.found] == [
        ("a\N{REPLACEMENT CHARACTER}.json", files[0][1]),
        ("b.json", files[1][1]),
    ]
    assert [one.file for one in found.problems] == ["c.json"]
    assert [one.patient[0][1].reveal() for one in found.found] == ["4711", "4712"]


@pytest.fixture
def said(monkeypatch):
    """Have the child say these parts."""

    def say(*parts):
        answers = [
            {"part": number, "rows": value} if isinstance(value, list) else {"part": number, "value": value}
            for number, value in enumerate(parts)
        ]
        monkeypatch.setattr(foreign, "Parser", lambda *_args, **_more: nullcontext(answers))

    return say


def device(**more):
    row = devices.parse(CALLS["devices"][2].encode()).devices[0]
    return checked.plain(dataclasses.replace(row, **more))


DAY_US = int(datetime(2026, 5, 4, tzinfo=UTC).timestamp()) * 1_000_000
FACT = ["id", True, ["TREAT"], ["ehr"], ["observation.value"], None, None, ["*"], ["*"], [], False]
SIGHT = ["", "Acme", "", "", ["observation.value"], "", DAY_US, DAY_US, "OBSERVED", ""]


def fact(at, value):
    return [2, "4711^^^HOSP^MR", [[*FACT[:at], value, *FACT[at + 1 :]], "paper", []]]


def sight(at, value):
    return [2, [*SIGHT[:at], value, *SIGHT[at + 1 :]]]


LIES = [
    ("devices", [device(id="a b")], [2], [["kind"]], []),
    ("devices", [device()], [2, 3], [["kind"]], []),
    ("devices", [device()], [2], [["\x1b[2J"]], []),
    ("devices", [device(), device()], [2, 3], [["kind"], ["kind"]], []),
    ("consents", [fact(2, ["WORLD"])], []),
    ("consents", [fact(4, ["all there is"])], []),
    ("consents", [fact(3, ["\x1b[2J"])], []),
    ("consents", [[2, "4711", [FACT, "paper", []]]], []),
    ("consents", [[2, "47\n11^^^HOSP^MR", [FACT, "paper", []]]], []),
    ("consents", [[2, "4711^^^HOSP^MR", [FACT, "\x1b[2J", []]]], []),
    ("shifts", [[2, "", "icu", "", DAY_US, DAY_US + 1]], []),
    ("shifts", [[2, "1", "icu", "4711", DAY_US, DAY_US + 1]], []),
    ("shifts", [[2, "1", "\x1b[2J", "", DAY_US, DAY_US + 1]], []),
    ("shifts", [[2, "1", "icu", "", DAY_US, DAY_US]], []),
    ("shifts", [[2, "1", "i" * 201, "", DAY_US, DAY_US + 1]], []),
    ("roster", [["1", "icu", DAY_US, DAY_US + 1, "another"]], []),
    ("roster", [["1", "", DAY_US, DAY_US + 1, "r"]], []),
    ("roster", [["1", "icu", DAY_US, DAY_US + 10**13, "r"]], []),
    ("uploads", [sight(8, "REPORTED")], []),
    ("uploads", [sight(2, "\x1b[2J")], []),
    ("uploads", [sight(4, ["all there is"])], []),
    ("uploads", [sight(7, 2**60)], []),
    ("entries", [[2, {"kind": "link", "\x1b[2J": "x"}]], []),
    ("people", [[2, "1", {"number": "1", "state": "king"}, {}, None]], []),
    ("people", [[2, "1", {"number": "1", "id": "x"}, {}, None]], []),
    ("people", [[2, "1", {"number": "1"}, {"roles": ["administrator"]}, None]], []),
    ("people", [[2, "2", {"number": "1"}, {}, None]], []),
    ("people", [[2, "1", {"number": "1"}, {}, None], [3, "1", {"number": "1"}, {}, None]], []),
    ("mapping", "cmms", [["Patient name", "owner", ""]], "", "", 0, "", ""),
    ("mapping", "cmms", [["a", "tag", ""]], "\x1b", "", 0, "", ""),
    ("a key", {"no": "list"}),
    ("a key", None),
    ("a certificate", "z" * 64),
    ("a certificate",),
    ("mapping", "cmms", [["a", "tag", ""]]),
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: f"{lie[0]}-{LIES.index(lie)}")
def test_what_no_file_could_have_said_is_not_believed(said, lie):
    what, *parts = lie
    said(*parts)
    apart, _, text, arguments = CALLS[what]
    with pytest.raises(ParserError) as error:
        apart(text.encode(), *arguments)
    assert error.value.reason is Reason.OBSERVED_READER


def test_what_people_are_told_is_printable(said):
    said([], [], [], [[1, "co\x1b[2Jl", "wr\x1b]0;x\x07ong"]])
    [error] = devices.parse_apart(b"").errors
    assert (error.column + error.why).isprintable()


def test_so_many_rows_and_no_more(said, monkeypatch):
    monkeypatch.setattr(foreign, "ROWS_MAX", 3)
    said([["a"], ["b"], ["c"]])
    assert people.table_apart(b"") == (("a",), ("b",), ("c",))
    said([["a"], ["b"], ["c"], ["d"]])
    with pytest.raises(ParserError, match="more than can be kept") as error:
        people.table_apart(b"")
    assert error.value.reason is Reason.LIMIT_EXCEEDED


def test_no_parser_but_ours_is_called():
    told = {"module": "os", "name": "system", "arguments": [], "single": True}
    with pytest.raises(InputError, match="none of ours"):
        next(foreign.work(told, iter(())))


DEEP = b'list = "cmms"\nx = ' + b"[" * 100_000


def test_what_is_nested_too_deeply_is_told():
    with pytest.raises(InputError) as error:
        mapping.read_apart(DEEP)
    assert error.value.reason is Reason.LIMIT_EXCEEDED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=20,
)


@settings(max_examples=60)
@given(
    st.lists(
        st.fixed_dictionaries({"part": st.integers(-2, 5)}, optional={"rows": JSON, "value": JSON}),
        max_size=4,
    )
)
def test_whatever_it_says_ends_in_a_value_or_in_one_error(answers):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foreign, "Parser", lambda *_args, **_more: nullcontext(answers))
        for apart, _, text, arguments in CALLS.values():
            with suppress(ParserError):
                apart(text.encode(), *arguments)


@pytest.mark.parametrize("what", ["devices", "consents", "people", "entries"])
def test_a_file_of_very_many_columns_is_one_mistake(what):
    _, parse, _, arguments = CALLS[what]
    [error] = parse(b",".join(b"c%d" % n for n in range(100_000)), *arguments).errors
    assert error.why == "at most 100 columns"
