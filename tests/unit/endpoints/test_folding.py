"""What a batch leaves as it is need not be gone through again: the rows are those of going through all of them."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.endpoints.conftest import DAY, HOUR, SITE, A, T, says

from oathward.core.db import connect, create_tables, direct, read
from oathward.discovery.model import MarkKind
from oathward.endpoints import actions, sql
from oathward.endpoints.attributes import show
from oathward.endpoints.folding import fold, parted
from oathward.endpoints.makers import PREFIXES
from oathward.endpoints.model import AttributeRow, CatalogueRow, Held
from oathward.endpoints.picture import Known

DI = "00844588003288"
CARD = "00:09:fb:00:00:01"
NAMES = ("make", "model", "host", "segment", "service", "type", "os", "udi", "hl7-version", "care", "no-such")
VALUES = ("Acme", "ACME", "Bolt", "infusion pump", "Windows 7", f"(01){DI}", "")
FACTS = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(VALUES),
    st.sampled_from(("zeek.dhcp", "pcap.mdns", "cmms", "inferred")),
    st.integers(0, 200),
    st.sampled_from((0.3, 0.5, 0.9)),
)
BATCHES = st.lists(
    st.tuples(st.lists(FACTS, max_size=5), st.booleans(), st.sampled_from(("", "Acme", "Bolt"))),
    min_size=2,
    max_size=5,
)


def known_of(facts, card):
    known = Known("e-1", is_new=False)
    for name, value, source, at, sure in facts:
        known.facts[name, value, source] = [T + at * HOUR, T + (at + 1) * HOUR, sure]
    if card:
        known.marks[MarkKind.MAC, "main", CARD] = Held(
            T, T + max((one[3] for one in facts), default=0) * HOUR
        )
    return known


@given(BATCHES)
def test_what_a_batch_leaves_as_it_is_would_have_come_out_the_same(batches):
    stood = list[AttributeRow]()
    for facts, card, company in batches:
        known = known_of(facts, card)
        catalogue = {DI: CatalogueRow(DI, "brand", "model", company)} if company else {}
        part, rest = parted(known, stood, PREFIXES)
        by_part, part_gone = fold(part, known, catalogue, PREFIXES)
        whole, gone = fold(stood, known, catalogue, PREFIXES)

        assert {*show(by_part), *rest} == {*show(whole)}
        assert sorted(part_gone) == sorted(gone)
        stood = show(whole)


def test_what_nobody_speaks_of_is_left_as_it_is():
    stood = show(fold([], known_of([("model", "Pump", "cmms", 0, 0.9)], card=False), {}, {})[0])
    part, rest = parted(known_of([("host", "pump", "zeek.dhcp", 9, 0.8)], card=False), stood, {})

    assert (part, rest) == ([], stood)


def test_what_the_catalogue_says_by_now_counts_though_nobody_says_the_udi_again():
    stood = show(fold([], known_of([("udi", f"(01){DI}", "cmms", 0, 0.9)], card=False), {}, {})[0])
    known = known_of([("host", "pump", "zeek.dhcp", 9, 0.8)], card=False)
    part, rest = parted(known, stood, {})
    made = fold(part, known, {DI: CatalogueRow(DI, "brand", "model", "Acme")}, {})[0]

    assert ("make", "Acme") in {(one.attribute, one.value) for one in made}
    assert rest == []


class _NeverSteady:
    def __call__(self, _row):
        return object()


TOLD = (
    [says(T, mac=A, address="10.0.0.1", host="pump", facts=(("host", "pump", 0.8),))],
    [says(T + HOUR, mac=A, address="10.0.0.1")],
    [says(T + 2 * HOUR, mac=A, address="10.0.0.2", segment="vlan 7")],
    [says(T + DAY, mac=A, facts=(("make", "Acme", 0.9), ("model", "One", 0.9)))],
    [says(T + 2 * DAY, mac=A, host="pump-2", facts=(("host", "pump-2", 0.8), ("firmware", "2", 0.8)))],
    [says(T + DAY, mac=A, facts=(("type", "infusion pump", 0.9),)), says(T - DAY, mac=A)],
    [says(T + 3 * DAY, mac=A, realm="annex", serial="acme|1")],
    [says(T + 3 * DAY, mac=A, tag="4711", source="cmms", facts=(("unit", "ICU", 0.9),))],
)


def table(tmp_path, name):
    engine = connect(f"sqlite:///{tmp_path}/{name}.db")
    create_tables(engine)
    seen = []
    for said in TOLD:
        actions.take(engine, SITE, said, T + 100 * DAY, "p-1")
        with read(engine) as db:
            seen.append(direct(db, "SELECT * FROM endpoint ORDER BY id").fetchall())
    engine.dispose()
    return seen


def test_a_row_of_which_a_part_is_written_is_the_one_that_writing_all_of_it_gives(tmp_path, monkeypatch):
    monkeypatch.setattr(actions, "uuid7", _numbers())
    by_part = table(tmp_path, "part")
    monkeypatch.setattr(actions, "uuid7", _numbers())
    monkeypatch.setattr(sql, "STEADY", _NeverSteady())
    whole = table(tmp_path, "whole")

    assert by_part == whole
    assert all(before != after for before, after in itertools.pairwise(whole)), "each batch changes the row"


def _numbers():
    count = itertools.count(1)
    return lambda _ms=0: f"00000000-0000-7000-8000-{next(count):012d}"
