"""For any statements: no exception, bounded work, the same answer whenever they are taken twice, and nobody becomes somebody else's tag."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from oathward.discovery.model import Mark, MarkKind, Statement
from oathward.endpoints.picture import MARKS_MAX, Picture
from oathward.endpoints.resolving import resolve

T = 1_800_000_000_000_000
HOUR = 3_600_000_000
VALUES = {
    MarkKind.MAC: ["00:1b:c5:00:00:01", "00:1b:c5:00:00:02", "da:a1:19:00:00:01", "ff:ff:ff:ff:ff:ff", "xx"],
    MarkKind.ADDRESS: ["10.0.0.1", "10.0.1.2", "fe80::1", "2001:db8::1", "0.0.0.0", "8.8.8.8", "::", "1.2.3"],
    MarkKind.SERIAL: ["acme|77", "acme|78", "acme|000", "|"],
    MarkKind.EUI64: ["001bc50000000777", "0000000000000000"],
    MarkKind.TAG: ["CE-1", "CE-2"],
    MarkKind.DEVICE: ["mon-1", "mon-2"],
    MarkKind.ACCOUNT: ["acme|w-1"],
    MarkKind.HOST: ["mon-1", "localhost", "\udcff\x00", "mon-1.ward.example"],
    MarkKind.AE_TITLE: ["CT1"],
    MarkKind.CLIENT_ID: ["01001bc5000001"],
    MarkKind.CERTIFICATE: ["ab" * 32],
}
marks = st.lists(
    st.sampled_from([Mark(kind, value) for kind, values in VALUES.items() for value in values])
    | st.builds(Mark, st.sampled_from(MarkKind), st.text(max_size=40)),
    min_size=1,
    max_size=5,
).map(tuple)
statements = st.lists(
    st.builds(
        Statement,
        at_us=st.integers(0, 400).map(lambda n: T + n * HOUR // 4),
        source=st.sampled_from(["zeek.dhcp", "zeek.conn", "pcap.dns", "cmms"]),
        realm=st.sampled_from(["east", "west"]),
        marks=marks,
        segment=st.sampled_from(["", "a", "b"]),
        behind=st.just(()) | marks,
    ),
    max_size=40,
)


def taken(*batches):
    ids = itertools.count()
    picture = Picture(lambda _: f"e{next(ids):04d}")
    picture.room = 1_000
    for some in batches:
        resolve(picture, some)
    picture.settle()
    return picture


def roots(picture):
    return [one for one in picture.known.values() if not one.merged]


@given(statements)
def test_whatever_is_said_is_taken_or_counted(said):
    picture = taken(said)
    assert picture.counts["statements"] == len(said)
    assert len(picture.known) <= 4 * len(said)
    for one in roots(picture):
        assert all(len(one.values(kind)) <= MARKS_MAX + 1 for kind in MarkKind)


@given(statements)
def test_who_has_one_number_of_the_site_has_no_other(said):
    for one in roots(taken(said)):
        for kind in (MarkKind.TAG, MarkKind.DEVICE, MarkKind.ACCOUNT):
            together = {
                m.value
                for s in said
                for m in s.marks
                if m.kind is kind and sum(k is kind for k, _ in s.marks) > 1
            }
            together |= {m.value for s in said for m in s.behind if m.kind is kind}
            assert len({key[2] for key, _ in one.values(kind)} - together) <= 1


@given(statements)
def test_a_card_of_the_world_is_nobody_elses_in_one_realm(said):
    owners = {}
    for one in roots(taken(said)):
        for key, _ in one.values(MarkKind.MAC):
            assert owners.setdefault(key, one.id) == one.id


@given(statements)
def test_leases_are_in_order_and_whose_they_are_is_known(said):
    picture = taken(said)
    for rows in picture.leases.values():
        assert [row.from_us for row in rows] == sorted(row.from_us for row in rows)
        assert all(row.from_us <= row.until_us and picture.root(row.endpoint) is not None for row in rows)
