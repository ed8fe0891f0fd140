"""Declared against observed: each list has what belongs there and nothing else; the picture fits, and nothing in it is markup."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.governance.office import DUA, NOW, YEAR
from tests.unit.policy import small

from oathward.core.finding_kinds import KINDS
from oathward.governance.connections import connection
from oathward.mapping import declaring, picture, raising
from oathward.mapping.comparing import compare, weaker
from oathward.mapping.model import Declared, DeclaredKind, Listed, Observed
from oathward.mapping.picture import End, Line
from oathward.network.rules import spans

PUMP, GATE, EHR, OUT = "10.1.0.5", "10.0.0.2", "10.2.0.9", "203.0.113.7"
AREAS = {"10.1": "ward", "10.0": "clinical", "10.2": "enterprise"}


def seen(client, server, port, service="", **more):
    zones = [AREAS.get(".".join(one.split(".")[:2]), "external") for one in (client, server)]
    said = {"transport": "tcp", "flows": 3, "bytes": 100, "answered": True, "realm": "main"} | more
    id_ = f"{client}>{server}:{port}/{said.get('tls', '')}{said.get('server_name', '')}"
    return Observed(
        id=id_,
        client=client,
        server=server,
        port=port,
        service=service,
        client_zone=zones[0],
        server_zone=zones[1],
        **said,
    )


def at(*addresses):
    return spans.joined(spans.address_span(one) for one in addresses)


GATEWAY = Declared(
    kind=DeclaredKind.GATEWAY,
    id="pump:2575",
    clients=at(PUMP),
    servers=at(GATE),
    ports=((2575, 2575),),
    transport="tcp",
)
LINK = Declared(
    kind=DeclaredKind.LINK, id="ehr", clients=at(GATE), servers=at(EHR), ports=((2576, 2576),), transport="tcp", tls=True,
    tls_min="TLSv1.2", authentication="mutual", classes=frozenset({"observation.value"}), zone="enterprise",
)  # fmt: skip
SUPPORT = Declared(
    kind=DeclaredKind.CONNECTION, id="support", hosts=frozenset({"*.support.example.com"}), servers=at("198.51.100.0/24"),
    ports=((443, 443),), tls=True, tls_min="TLSv1.2", certificate_days_min=30, classes=frozenset(), outside=True,
)  # fmt: skip
ALL = [GATEWAY, LINK, SUPPORT]
GOOD = [
    seen(PUMP, GATE, 2575, "hl7"),
    seen(GATE, EHR, 2576, "tls", tls="TLSv1.3", encrypted=True, authentication="mutual"),
    seen(PUMP, "198.51.100.9", 443, "tls", tls="TLSv1.2", encrypted=True, certificate_days=60),
]


def kinds(observed, declared=ALL):
    return [(one.listed, one.kind, one.about) for one in compare(declared, observed).differences]


def test_what_is_as_declared_is_in_no_list():
    found = compare(ALL, GOOD)
    assert found.differences == ()
    assert set(found.matched.values()) == {"gateway:pump:2575", "link:ehr", "connection:support"}


@pytest.mark.parametrize(
    ("extra", "kind"),
    [
        (seen("10.1.0.6", "10.1.0.7", 5000, "dicom"), "flow.undeclared"),
        (seen(PUMP, OUT, 443, "tls"), "connection.unregistered"),
        (seen(OUT, PUMP, 22, "ssh"), "connection.unregistered"),
        (seen(PUMP, "8.8.8.8", 53, "dns", transport="udp"), "connection.unregistered"),
        (seen(PUMP, "10.2.0.77", 2575, "hl7"), "flow.other-destination"),
        (seen(GATE, EHR, 2576, "hl7"), "flow.weaker-protection"),
        (seen(GATE, EHR, 2576, "tls", tls="TLSv1.0", encrypted=True), "flow.weaker-protection"),
        (seen(GATE, EHR, 2576, "tls", tls="TLSv1.2", authentication="server"), "flow.weaker-protection"),
        (seen(GATE, EHR, 2576, classes={"patient.birthdate": 2}), "flow.more-data"),
        (
            seen(PUMP, OUT, 443, "tls", tls="TLSv1.1", server_name="a.support.example.com"),
            "connection.below-minimum",
        ),
        (
            seen(PUMP, "198.51.100.9", 443, "tls", tls="TLSv1.2", certificate_days=3),
            "connection.below-minimum",
        ),
        (seen(PUMP, "198.51.100.9", 443, classes={"device.type": 1}), "connection.outside-agreement"),
        (seen("198.51.100.9", PUMP, 443, "tls", tls="TLSv1.0"), "connection.below-minimum"),
        (seen("10.1.0.6", "10.2.0.1", 80, "http", classes={"patient.name": 4}), "flow.clear-text-phi"),
    ],
)
def test_each_difference_is_its_kind_of_finding(extra, kind):
    found = {one.kind for one in compare(ALL, [*GOOD, extra]).differences}
    assert kind in found
    assert set(found) <= set(KINDS)


@pytest.mark.parametrize(
    "extra",
    [
        seen("10.1.0.6", "10.0.0.53", 53, "dns", transport="udp"),
        seen("10.1.0.6", "224.0.0.251", 5353, "mdns", transport="udp" ),
        seen("10.1.0.6", "10.1.0.7", 5000, answered=False),
        seen(GATE, EHR, 2576, "tls"),
    ],
)  # fmt: skip
def test_what_is_everyday_unanswered_or_not_known_is_no_finding(extra):
    extra = replace(extra, server_zone="ward") if extra.server.startswith("224") else extra
    assert kinds([*GOOD, extra]) == []


def test_what_was_declared_and_not_seen_is_told_once_anything_was_seen():
    assert kinds([]) == []
    assert kinds(GOOD[:1]) == [
        (Listed.UNSEEN, "link.never-observed", "connection:support"),
        (Listed.UNSEEN, "link.never-observed", "link:ehr"),
    ]


def test_many_that_ask_one_undeclared_server_are_one_finding_with_their_number():
    many = [seen(f"10.1.2.{n}", "10.2.0.50", 8080) for n in range(1, 60)]
    (one,) = compare(ALL, [*GOOD, *many]).differences
    assert (one.kind, one.details["clients"], one.details["flows"]) == ("flow.undeclared", 59, 177)
    (raised,) = raising.of_map(compare(ALL, [*GOOD, *many]))
    assert (raised.kind, raised.key) == ("flow.undeclared", one.key)


def test_conduits_add_up_by_zones():
    found = {
        (one.client_zone, one.server_zone): one
        for one in compare(ALL, [*GOOD, seen(PUMP, GATE, 99)]).conduits
    }
    ward = found["ward", "clinical"]
    assert (ward.conversations, ward.undeclared, ward.declared) == (2, 1, ("gateway:pump:2575",))
    assert found["clinical", "enterprise"].carried == {"observation.value"}


def test_a_name_that_only_ends_alike_is_not_the_declared_host():
    assert "connection.unregistered" in str(
        kinds([*GOOD, seen(PUMP, OUT, 443, "tls", server_name="evilsupport.example.com")])
    )
    assert (
        kinds([*GOOD, seen(PUMP, OUT, 443, "tls", tls="TLSv1.3", server_name="A.Support.example.com.")]) == []
    )


def test_nothing_is_concluded_from_what_is_not_known():
    assert weaker(LINK, seen(GATE, EHR, 2576)) == []


def test_links_devices_and_connections_become_declarations():
    bundle = small.bundle()
    links = {one.id: one for one in declaring.of_links(bundle)}
    assert set(links) <= set(bundle.links)
    assert "keep" not in links
    assert declaring.place_of("mllp", "ehr.example:2575") == ("ehr.example", 2575)
    assert declaring.place_of("fhir", "https://fhir.example/base") == ("fhir.example", 443)
    assert declaring.place_of("mllps", "[2001:db8::1]:9") == ("2001:db8::1", 9)
    assert declaring.place_of("file", "/folder") is None
    cells = {
        "id": "c",
        "party": DUA.party,
        "role": "processor",
        "agreement": DUA.id,
        "networks": "192.0.2.0/24",
        "hosts": "a.example",
        "ports": "1-9",
    }
    row = connection(cells | {"from": "2020-01-01"})
    (one,) = declaring.of_connections([row], {DUA.id: DUA}, NOW, {"a.example": frozenset({"198.51.100.1"})})
    assert (one.ports, one.lacks) == (((1, 9),), ())
    assert spans.holds(one.servers, at("198.51.100.1")[0][0])
    (gone,) = declaring.of_connections([row], {DUA.id: DUA}, NOW + 2 * YEAR)
    assert gone.lacks
    assert {kind for _, kind, _ in kinds([seen(PUMP, "192.0.2.5", 5)], [gone])} == {
        "connection.outside-agreement"
    }


TEXT = st.text(max_size=30) | st.sampled_from(
    ["<script>alert(1)</script>", '"><b x="', "]]>", "\x00\x1b[31m", "&amp;", "a" * 500]
)
ENDS = st.lists(
    st.builds(
        End,
        st.integers(0, 40).map(str),
        TEXT,
        st.sampled_from(["ward", "icu", "external", "<z>"]),
        TEXT,
        TEXT,
    ),
    max_size=30,
    unique_by=lambda end: end.id,
)
LINES = st.lists(
    st.builds(
        Line, st.integers(0, 40).map(str), st.integers(0, 40).map(str), st.sampled_from(picture._WORST)
    ),
    max_size=40,
)


@given(ends=ENDS, lines=LINES, most=st.integers(1, 12))
def test_the_picture_fits_is_the_same_again_and_nothing_in_it_is_markup(ends, lines, most):
    found = picture.picture(ends, lines, most=most)
    assert len(found.nodes) <= most
    assert sum(node.members for node in found.nodes) == len(ends)
    assert len({(node.x, node.y) for node in found.nodes}) == len(found.nodes)
    assert found == picture.picture(list(reversed(ends)), list(reversed(lines)), most=most)
    drawn = picture.svg(found, "<Map>")
    tags = {re.sub(r"\{.*\}", "", one.tag) for one in ET.fromstring(drawn).iter()}
    assert tags <= {"svg", "title", "style", "text", "g", "rect", "path"}
    assert not re.search(r"\son\w+=", re.sub(r">[^<]*<|\"[^\"]*\"", "><", drawn))


def test_the_picture_collapses_by_model_then_unit_then_zone():
    ends = [End(str(n), f"host{n}", f"zone{n % 3}", f"unit{n % 30}", f"model{n % 90}") for n in range(900)]
    lines = [Line("0", str(n), picture.DECLARED) for n in range(900)]
    assert [picture.picture(ends, lines, most=most).by for most in (900, 300, 50, 5)] == [
        "endpoint",
        "model",
        "unit",
        "zone",
    ]
    assert {node.words for node in picture.picture(ends, lines, most=2).nodes} >= {"all others"}


def test_a_picture_says_the_gravest_of_what_a_line_stands_for():
    ends = [End("a", "a", "x"), End("b", "b", "y")]
    lines = [Line("a", "b", picture.DECLARED), Line("a", "b", picture.UNDECLARED)]
    (edge,) = picture.picture(ends, lines).edges
    assert (edge.state, edge.weight) == (picture.UNDECLARED, 2)
