"""Promises of decisions: a person's merge or split holds whatever is seen later, can be undone, and is on record without values."""

from functools import partial

import pytest
from tests.unit.endpoints.conftest import DAY, HOUR, MINUTE, SITE, A, B, C, T, says

from oathward.core.errors import InputError
from oathward.discovery.model import Mark, MarkKind
from oathward.endpoints import deciding
from oathward.endpoints.actions import digest_of

NOW = T + 100 * DAY
BY = {"by": "p-7", "reason": "seen at the bedside", "now_us": NOW}


def decide(inventory, verb, *args):
    return getattr(deciding, verb)(inventory.engine, SITE, *args, **BY)


@pytest.fixture
def two(inventory):
    inventory.take(
        says(T, mac=A, address="10.0.0.1", serial="acme|77", facts=[("firmware", "1.0", 0.8)]),
        says(T + 1, mac=B, address="10.0.0.2", serial="acme|77", facts=[("model", "M5", 0.8)]),
    )
    return inventory, *(row.id for row in inventory.rows())


def test_a_merge_survives_what_is_seen_later(two):
    inventory, a, b = two
    decide(inventory, "merge", a, b)
    [row] = inventory.rows()
    assert (row.id, row.model, row.firmware, row.conflicts) == (a, "M5", "1.0", 0)
    taken = inventory.take(
        says(T + HOUR, mac=B, address="10.0.0.2", serial="acme|77"),
        says(T + HOUR + 1, mac=A, address="10.0.0.1", serial="acme|77"),
    )
    assert taken.conflicts == ()
    assert [one.id for one in inventory.rows()] == [a]
    assert inventory.holder("10.0.0.2", T + HOUR) == a
    assert inventory.whole(b).row.merged == a


def test_a_merge_undone_gives_back_what_was_whose(two):
    inventory, a, b = two
    before = {id_: inventory.marks(id_) for id_ in (a, b)}
    done = decide(inventory, "merge", a, b)
    inventory.take(says(T + HOUR, mac=C, address="10.0.0.3", tag="CE-1"), says(T + HOUR, mac=A, tag="CE-1"))
    decide(inventory, "undo", done)
    first, second = (inventory.whole(id_) for id_ in (a, b))
    assert inventory.marks(b) == before[b]
    assert before[a] <= inventory.marks(a)
    assert (first.row.model, first.row.firmware, second.row.model, second.row.firmware) == (
        "",
        "1.0",
        "M5",
        "",
    )
    assert inventory.holder("10.0.0.2", T) == b
    with pytest.raises(InputError):
        decide(inventory, "undo", done)


def test_a_split_never_joins_again_by_the_same_marks(inventory):
    inventory.take(says(T, mac=A, serial="acme|77"))
    inventory.take(says(T + 3 * DAY, mac=B, serial="acme|77"))
    [row] = inventory.rows()
    new, done = decide(inventory, "split", row.id, [(MarkKind.MAC, "main", B)])
    for n in range(1, 6):
        inventory.take(says(T + (3 + 2 * n) * DAY, mac=B if n % 2 else A, serial="acme|77"))
    assert {one.id for one in inventory.rows()} == {row.id, new}
    assert {one.conflicts for one in inventory.rows()} == {0}, "a person has said what is so"
    decide(inventory, "undo", done)
    assert [one.id for one in inventory.rows()] == [row.id]


def test_reverse_without_the_memory_of_it_they_would_join_again(inventory, monkeypatch):
    from oathward.endpoints.picture import Picture

    inventory.take(says(T, mac=A, serial="acme|77"))
    inventory.take(says(T + 3 * DAY, mac=B, serial="acme|77"))
    [row] = inventory.rows()
    decide(inventory, "split", row.id, [(MarkKind.MAC, "main", B)])
    monkeypatch.setattr(Picture, "are_apart", lambda *_: False)
    inventory.take(says(T + 9 * DAY, mac=B, serial="acme|77"))
    assert len(inventory.rows()) == 1


def test_what_a_rule_joined_and_a_person_parted_stays_apart(inventory):
    inventory.take(says(T, mac=A, serial="acme|77"))
    inventory.take(says(T + 2 * HOUR, mac=B, serial="acme|77"))
    inventory.take(says(T + 2 * DAY, mac=B, serial="acme|77"))
    [row] = inventory.rows()
    [joined] = inventory.whole(row.id).merges
    assert joined.by == "rule"
    decide(inventory, "undo", joined.id)
    inventory.take(says(T + 4 * DAY, mac=B, serial="acme|77"))
    assert len(inventory.rows()) == 2


def test_an_address_goes_with_its_lease(inventory):
    inventory.take(says(T, mac=A, address="10.0.0.1"), says(T + HOUR, mac=A, address="10.0.0.2"))
    [row] = inventory.rows()
    new, _ = decide(inventory, "split", row.id, [(MarkKind.ADDRESS, "main", "10.0.0.2")])
    assert inventory.holder("10.0.0.2", T + HOUR) == new
    assert inventory.holder("10.0.0.1", T + HOUR) == row.id
    assert inventory.whole(new).row.address == "10.0.0.2"


def test_who_did_it_is_on_record_and_why_as_a_digest(two):
    inventory, a, b = two
    done = decide(inventory, "merge", a, b)
    decide(inventory, "undo", done)
    kinds = [kind for kind, _ in inventory.records()]
    assert kinds == ["endpoint.merged", "endpoint.restored"]
    for _, body in inventory.records():
        assert body["by"] == "p-7"
        assert len(body["reason"]) == 64
        assert "bedside" not in str(body)
        assert "acme" not in str(body)
    [row] = inventory.whole(a).merges
    assert (row.reason, row.by, row.undone_by) == ("seen at the bedside", "p-7", "p-7")


@pytest.mark.parametrize("case", ["self", "missing", "merged", "no marks", "other marks", "all marks"])
def test_what_cannot_be_is_refused_and_changes_nothing(two, case):
    inventory, a, b = two
    mac = (MarkKind.MAC, "main", A)
    every = [(mark.kind, scope, mark.value) for mark, scope, _ in inventory.whole(a).marks]
    every.append((MarkKind.ADDRESS, "main", "10.0.0.1"))
    calls = {
        "self": ("merge", a, a),
        "missing": ("merge", a, "nobody"),
        "merged": ("split", b, [mac]),
        "no marks": ("split", a, []),
        "other marks": ("split", a, [(MarkKind.MAC, "main", C)]),
        "all marks": ("split", a, every),
    }
    if case == "merged":
        decide(inventory, "merge", a, b)
    before = inventory.records(), inventory.whole(a)
    with pytest.raises(InputError):
        decide(inventory, *calls[case])
    assert (inventory.records(), inventory.whole(a)) == before


def test_a_person_says_what_an_endpoint_is_like_and_takes_it_back(inventory):
    inventory.take(says(T, mac=A, facts=[("unit", "ICU", 0.9), ("firmware", "1.0", 0.8)]))
    [row] = inventory.rows()
    args = (inventory.engine, SITE, [row.id])
    deciding.describe(*args, {"unit": "OR", "owner": "Dr. Quill", "firmware": "2.0"}, by="p-7", now_us=NOW)
    [now] = inventory.rows()
    assert (now.unit, now.owner, now.firmware) == ("OR", "Dr. Quill", "2.0")
    said = {
        body["attribute"]: (body["before"], body["after"])
        for kind, body in inventory.records()
        if (kind, body["by"]) == ("endpoint.changed", "p-7")
    }
    of = partial(digest_of, row.id)
    assert said == {
        "unit": (of("unit", "ICU"), of("unit", "OR")),
        "owner": ("", of("owner", "Dr. Quill")),
        "firmware": (of("firmware", "1.0"), of("firmware", "2.0")),
    }
    assert len(inventory.records()) == 3
    deciding.describe(*args, {"unit": "OR"}, by="p-8", now_us=NOW)
    assert len(inventory.records()) == 3, "said again it is no news"
    deciding.describe(*args, {"unit": "", "owner": ""}, by="p-7", now_us=NOW + MINUTE)
    [back] = inventory.rows()
    assert (back.unit, back.owner) == ("ICU", "")
    taken = [(body["attribute"], body["before"], body["after"]) for _, body in inventory.records()[3:]]
    assert sorted(taken) == [
        ("owner", of("owner", "Dr. Quill"), ""),
        ("unit", of("unit", "OR"), of("unit", "ICU")),
    ]
    with pytest.raises(InputError):
        deciding.describe(*args, {"blood group": "A"}, by="p-7", now_us=NOW)


def test_one_that_is_retired_is_not_listed_and_has_its_time(inventory):
    inventory.take(says(T, mac=A), says(T, mac=B))
    first = inventory.rows()[0]
    deciding.describe(inventory.engine, SITE, [first.id], {"lifecycle": "retired"}, by="p-7", now_us=NOW)
    assert first.id not in {row.id for row in inventory.rows()}
    [gone] = inventory.rows(equal={"lifecycle": "retired"})
    assert (gone.id, gone.lifecycle_us) == (first.id, NOW)
    inventory.take(says(T + DAY, mac=first.mac))
    assert inventory.whole(first.id).row.lifecycle == "retired", "who is seen again stays what a person said"


def behind(mac):
    return [Mark(MarkKind.MAC, mac)]


@pytest.fixture
def gateways(inventory):
    """Two cards of what turns out to be one gateway, each with a pump behind it."""
    inventory.take(says(T, mac=A, address="10.0.0.1"), says(T + 1, mac=B, address="10.0.0.2"))
    inventory.take(
        says(T + 2, serial="acme|101", behind=behind(A)), says(T + 3, serial="acme|102", behind=behind(B))
    )
    return inventory, *(row.id for row in inventory.rows())


def parents(inventory, *ids):
    return [inventory.whole(id_).row.parent for id_ in ids]


def test_who_was_heard_through_one_is_at_once_heard_through_the_other_and_goes_back(gateways):
    inventory, a, b, first, second = gateways
    assert parents(inventory, first, second) == [a, b]
    done = decide(inventory, "merge", a, b)
    assert parents(inventory, a, first, second) == ["", a, a]
    decide(inventory, "undo", done)
    assert parents(inventory, a, b, first, second) == ["", "", a, b]


def test_who_was_heard_through_the_other_since_stays_there(gateways):
    inventory, a, b, first, second = gateways
    done = decide(inventory, "merge", a, b)
    inventory.take(says(T + HOUR, serial="acme|102", behind=behind(A)))
    decide(inventory, "undo", done)
    assert parents(inventory, first, second) == [a, a]


def test_who_becomes_one_with_its_gateway_is_not_heard_through_itself_and_is_again(gateways):
    inventory, a, _, first, _ = gateways
    done = decide(inventory, "merge", first, a)
    assert parents(inventory, first) == [""]
    decide(inventory, "undo", done)
    assert parents(inventory, first, a) == [a, ""]


def test_what_was_heard_through_nobody_takes_over_through_whom_the_other_was(gateways):
    inventory, a, _, first, _ = gateways
    inventory.take(says(T + 4, mac=C, address="10.0.0.3"))
    seen = next(row.id for row in inventory.rows() if row.mac == C)
    done = decide(inventory, "merge", seen, first)
    assert parents(inventory, seen) == [a]
    decide(inventory, "undo", done)
    assert parents(inventory, seen, first) == ["", a]
