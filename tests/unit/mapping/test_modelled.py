"""What a maker's MUD file permits counts as declared by it; what it does not is a finding; what cannot be told is neither."""

from dataclasses import replace

import pytest
from tests.unit.mapping.test_mapping import EHR, LINK, OUT, PUMP, at, seen

from oathward.core.db import connect, create_tables, read
from oathward.discovery.lists.reading import MayDo, MayRule, Peer
from oathward.endpoints import models
from oathward.endpoints.model import EndpointRow
from oathward.mapping.comparing import compare
from oathward.mapping.modelled import Models, said_of

OWN = (0, 65_535)
TO_EHR = MayRule(True, True, (Peer("network", "10.2.0.0/24"),), "tcp", 4, (2575, 2575), OWN, "from-device")
TO_NAME = MayRule(True, True, (Peer("name", "cloud.acme.example"),), "tcp", 4, (443, 443))
SERVES = MayRule(False, True, (Peer("local-networks"),), "tcp", 4, OWN, (80, 80))
ACME = MayDo(url="https://acme.example/p1", make="Acme Inc.", model="P1", rules=(TO_EHR, TO_NAME, SERVES))
ROWS = {
    "e-1": EndpointRow("e-1", make="ACME", model="p1"),
    "e-2": EndpointRow("e-2", make="Other", model="P1"),
}
KNOWN = Models(models.by_endpoint([ACME], ROWS), ROWS)


def of(client, server, port, **more):
    return seen(client, server, port, client_endpoint="e-1", **more)


def verdict(one, known=KNOWN):
    return said_of(known, one)[0]


def test_a_file_counts_for_endpoints_of_its_make_and_model_alone():
    assert set(KNOWN.of) == {"e-1"}
    newer = replace(ACME, url="https://acme.example/p1v2", firmware="2", updated="2026")
    rows = {"e-1": replace(ROWS["e-1"], firmware="2"), "e-3": replace(ROWS["e-1"], firmware="1")}
    assert models.by_endpoint([ACME, newer], rows)["e-1"] is newer


@pytest.mark.parametrize(
    ("one", "permitted"),
    [
        (of(PUMP, EHR, 2575), True),
        (of(PUMP, EHR, 2576), False),
        (of(PUMP, EHR, 2575, transport="udp"), False),
        (of(PUMP, "10.2.1.9", 2575), False),
        (of(PUMP, OUT, 443, server_name="cloud.acme.example"), True),
        (of(PUMP, OUT, 443, server_name="evil.example"), False),
        (of(PUMP, OUT, 443), None),
        (seen("10.1.0.9", PUMP, 80, server_endpoint="e-1"), True),
        (seen(OUT, PUMP, 80, server_endpoint="e-1"), False),
        (seen("10.1.0.9", PUMP, 22, server_endpoint="e-1"), False),
        (seen(PUMP, EHR, 2575, client_endpoint="e-2"), None),
    ],
)
def test_the_first_packet_is_asked_for_at_both_ends(one, permitted):
    assert verdict(one) is permitted


def test_rules_are_tried_in_their_order_and_what_may_match_concludes_nothing():
    drop = TO_EHR._replace(permit=False)
    first = Models({"e-1": replace(ACME, rules=(drop, TO_EHR))}, ROWS)
    assert verdict(of(PUMP, EHR, 2575), first) is False
    perhaps = drop._replace(peers=(Peer("controller", "urn:x"),))
    unsure = Models({"e-1": replace(ACME, rules=(perhaps, TO_EHR))}, ROWS)
    assert verdict(of(PUMP, EHR, 2575), unsure) is None
    mine = Models({"e-1": replace(ACME, rules=(TO_EHR._replace(peers=(Peer("my-controller"),)),))}, ROWS)
    assert verdict(of(PUMP, EHR, 2575), mine) is None
    assert verdict(of(PUMP, EHR, 2575), replace(mine, here=at(EHR))) is True
    assert verdict(of(PUMP, EHR, 2575), replace(mine, here=at(OUT))) is False


def test_inside_is_declared_by_the_maker_outside_a_finding_and_the_sites_word_outranks_both():
    inside, outside = of(PUMP, EHR, 2575), of(PUMP, EHR, 9)
    found = compare([], [inside, outside], models=KNOWN)
    assert found.matched == {inside.id: "mud:Acme Inc. P1"}
    [one] = found.differences
    assert (one.kind, one.about, one.details["devices"]) == ("flow.outside-model", "endpoint:e-1", 1)
    assert {one.kind for one in compare([], [inside, outside]).differences} == {"flow.undeclared"}
    declared = replace(LINK, clients=at(PUMP), ports=((9, 9),), tls=False, tls_min="", classes=None)
    assert "flow.outside-model" not in {
        each.kind for each in compare([declared], [outside], models=KNOWN).differences
    }
    external = compare([], [of(PUMP, OUT, 9)], models=KNOWN)
    assert {each.kind for each in external.differences} == {"flow.outside-model", "connection.unregistered"}
    assert compare([], [replace(outside, answered=False)], models=KNOWN).differences == ()


def test_data_in_clear_text_are_told_of_what_a_maker_permits():
    one = of(PUMP, EHR, 2575, service="hl7", classes={"patient.name": 2})
    [found] = compare([], [one], models=KNOWN).differences
    assert (found.kind, found.about) == ("flow.clear-text-phi", "endpoint:e-1")


def test_files_are_kept_and_read_again_as_they_were(tmp_path):
    import oathward.ledger.tables  # noqa: F401  declares its tables

    engine = connect(f"sqlite:///{tmp_path}/site.db")
    create_tables(engine)
    assert models.put(engine, "s", [ACME], 5, "p") == 1
    assert models.put(engine, "s", [ACME], 6, "p") == 0
    with read(engine) as db:
        assert models.kept(db, "s") == [ACME]
    engine.dispose()
