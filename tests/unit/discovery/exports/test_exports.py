"""What is written out, others read, and our own import reads back the same; nothing runs in a spreadsheet."""

import io
import re

import orjson
import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.core.spreadsheet import guarded, typed, unguarded
from oathward.discovery.exports import fhir as as_fhir
from oathward.discovery.exports import mud as as_mud
from oathward.discovery.exports import netbox as as_netbox
from oathward.discovery.exports import sheet
from oathward.discovery.exports.entry import Entry, Word
from oathward.discovery.exports.mud import Model, Spoke
from oathward.discovery.lists import fhir, mud, netbox
from oathward.discovery.lists.attributes import ATTRIBUTES
from oathward.discovery.lists.cmms import LIST as CMMS
from oathward.discovery.lists.opening import sources
from oathward.discovery.lists.proposing import propose
from oathward.discovery.lists.reading import How, MayRule, Peer, Told
from oathward.discovery.model import MarkKind

T = 1_780_000_000_000_000
ENTRY = Entry(
    id="01a20971-777b-744c-920b-82312c9411d0",
    realm="main",
    segment="pumps",
    first_us=T,
    last_us=T + 1_000_000,
    marks={
        MarkKind.TAG: ("4711",),
        MarkKind.MAC: ("00:1b:c5:00:0a:1f", "00:1b:c5:00:0a:20"),
        MarkKind.ADDRESS: ("10.0.0.5", "fd00::5"),
        MarkKind.EUI64: ("0123456789abcdef",),
        MarkKind.SERIAL: ("acme|sn1",),
        MarkKind.UDI: ("(01)00012345678905(21)SN1",),
    },
    shown={
        "make": ("Acme",),
        "model": ("=P1",),
        "serial": ("SN1",),
        "udi": ("(01)00012345678905(21)SN1",),
        "udi-di": ("00012345678905",),
        "name": ("@pump;=1",),
        "type": ("Infusion pump",),
        "firmware": ("1.2",),
        "software": ("app 3", "viewer 4"),
        "location": ("West 3",),
        "owner": ("Cardiology",),
        "lifecycle": ("in-use",),
        "last-maintenance": ("2026-05-04",),
    },
    words=(Word("model", "=P1", "zeek.dhcp", T, T, 0.7, True),),
)
FORMULA = re.compile(r"(?:^|[;,|\t\r\n] *)[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def statements(format_, data: bytes, **how):
    found = list(format_.read(sources("x", io.BytesIO(data)), How(realm="main", at_us=T, **how)))
    assert all(isinstance(one, Told) for one in found), found
    return [one.what for one in found]


def facts(said) -> dict[str, str]:
    return {fact.attribute: fact.value for fact in said.facts}


def test_a_row_comes_back_by_the_wizards_own_mapping():
    text = "".join(sheet.rows([ENTRY]))
    [source] = sources("x.csv", io.BytesIO(text.encode()))
    proposal = propose(source)
    assert {one.attribute for one in proposal.columns} - {""} >= ATTRIBUTES.keys() - {
        "account",
        "behind",
        "last-heard",
        "segment",
    }
    [said] = statements(CMMS, text.encode(), columns=proposal.mapping())
    marks = {mark.kind: {one.value for one in said.marks if one.kind is mark.kind} for mark in said.marks}
    assert marks == {kind: set(values) for kind, values in ENTRY.marks.items()}
    for attribute in (
        "make",
        "model",
        "name",
        "serial",
        "type",
        "location",
        "owner",
        "lifecycle",
        "last-maintenance",
        "udi-di",
    ):
        assert facts(said)[attribute] == ENTRY.shown[attribute][0], attribute


@given(st.text(max_size=40) | st.text(alphabet="=+-@'\t;,| a\r\n\uff1d", max_size=12))
def test_no_cell_is_a_formula_and_each_comes_back(cell):
    assert not FORMULA.search(guarded(cell))
    assert unguarded(guarded(cell)) == typed(guarded(cell)) == cell


def test_every_word_of_every_source_can_be_had():
    header, line = sheet.words([ENTRY])
    assert header.startswith("id,attribute,value,source")
    assert f"{ENTRY.id},model,'=P1,zeek.dhcp," in line


def test_a_bundle_of_devices_is_valid_and_comes_back():
    several = [ENTRY, Entry(id="b", realm="main")]
    document = as_fhir.bundle(several, T, "https://house.example/tags")
    assert orjson.loads(b"".join(as_fhir.written(several, T, "https://house.example/tags"))) == document
    judged = Bundle.model_validate(document)
    assert len(judged.entry) == 2
    assert judged.entry[0].resource.udiCarrier[0].deviceIdentifier == "00012345678905"
    document["entry"].pop()
    [said] = statements(fhir.LIST, orjson.dumps(document), tag_system="https://house.example/tags")
    assert {mark.value for mark in said.marks} >= {
        "4711",
        "00:1b:c5:00:0a:20",
        "0123456789abcdef",
        "acme|sn1",
    }
    assert facts(said)["name"] == "@pump;=1"
    assert {fact.value for fact in said.facts if fact.attribute == "software"} == {"app 3", "viewer 4"}


def test_a_document_for_netbox_comes_back():
    [said] = statements(netbox.LIST, orjson.dumps(as_netbox.document([ENTRY])))
    assert {mark.value for mark in said.marks} == {
        "4711",
        "acme|sn1",
        "00:1b:c5:00:0a:1f",
        "00:1b:c5:00:0a:20",
        "10.0.0.5",
        "fd00::5",
    }
    assert said.segment == "pumps"
    assert facts(said)["location"] == "West 3"


MODEL = Model(url="https://house.example/p1.json", make="Acme", model="P1", at_us=T)
SPOKEN = [
    Spoke(device, True, "203.0.113.7", "cloud.acme.example.", False, False, "tcp", 443, 9)
    for device in ("a", "b")
]
SPOKEN += [Spoke(device, False, "10.0.0.9", "", True, False, "tcp", 6000, 1) for device in ("a", "b")]
SPOKEN += [Spoke(device, True, "fd00::9", "", True, False, "udp", 123, 1) for device in ("a", "b")]


def test_a_mud_file_is_what_several_devices_spoke_and_is_understood():
    spoken = [
        *SPOKEN,
        Spoke("a", True, "198.51.100.9", "", False, False, "tcp", 23, 5),  # one device alone
        Spoke("a", True, "10.0.0.77", "", True, False, "tcp", 445, 0),  # nobody answered
        Spoke("a", True, "10.0.0.77", "", True, False, "icmp", 0, 5),
    ]
    document, left = as_mud.learn(spoken, MODEL)
    assert left == {"rare": 1, "unanswered": 1, "transport": 1}
    [model] = statements(mud.LIST, orjson.dumps(document))
    assert (model.url, model.make, model.model, len(model.rules)) == (MODEL.url, "Acme", "P1", 6)
    cloud, local = (Peer("name", "cloud.acme.example"),), (Peer("local-networks"),)
    everywhere = (0, 65_535)
    assert set(model.rules) == {
        MayRule(True, True, cloud, "tcp", 4, (443, 443), everywhere, "from-device"),
        MayRule(False, True, cloud, "tcp", 4, (443, 443), everywhere, "from-device"),
        MayRule(True, True, local, "tcp", 4, everywhere, (6000, 6000), "to-device"),
        MayRule(False, True, local, "tcp", 4, everywhere, (6000, 6000), "to-device"),
        MayRule(True, True, local, "udp", 6, (123, 123), everywhere),
        MayRule(False, True, local, "udp", 6, (123, 123), everywhere),
    }


def test_a_model_of_which_one_device_spoke_has_what_that_spoke():
    document, left = as_mud.learn(SPOKEN[:1], MODEL)
    assert left["rare"] == 0
    assert "cloud.acme.example" in str(document)


def test_names_outside_are_names_and_unknown_addresses_are_themselves():
    spoken = [
        Spoke("a", True, "198.51.100.9", "", False, False, "tcp", 23, 5),
        Spoke("a", True, "10.0.0.2", "x", True, True, "tcp", 24, 1),
    ]
    [model] = statements(mud.LIST, orjson.dumps(as_mud.learn(spoken, MODEL)[0]))
    assert {rule.peers[0] for rule in model.rules} == {
        Peer("network", "198.51.100.9/32"),
        Peer("same-manufacturer"),
    }


@pytest.mark.parametrize(
    ("spoken", "model", "reason"),
    [
        ([], MODEL, Reason.MESSAGE_EMPTY),
        (SPOKEN, Model(url="http://x", make="", model="", at_us=T), Reason.VALUE_INVALID),
        (
            [Spoke("a", True, "10.0.0.1", "", True, False, "tcp", n, 1) for n in range(600)],
            MODEL,
            Reason.LIMIT_EXCEEDED,
        ),
    ],
)
def test_what_makes_no_mud_file_is_refused(spoken, model, reason):
    with pytest.raises(InputError) as found:
        as_mud.learn(spoken, model)
    assert found.value.reason is reason
