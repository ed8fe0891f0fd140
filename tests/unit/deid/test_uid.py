"""UIDs and UUIDs: keyed, of one form, consistent between formats; those of the standard stay."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.shaped import SEEDS, applied, runs

from oathward.core.errors import DeidentificationError
from oathward.deid import action
from oathward.deid.action import Seeds
from oathward.deid.actions.uid import LENGTH_MAX, remapped
from oathward.protocols.fhir.primitives import FORMS

KEY, OTHER = bytes(range(32)), bytes(32)
UIDS = st.lists(st.integers(0, 10**12), min_size=2, max_size=4).map(
    lambda arcs: ".".join(map(str, (1, 3, *arcs)))
) | st.from_regex(r"1\.2\.840\.[1-9][0-9]{5}\.[1-9][0-9]{10,30}", fullmatch=True)
UUIDS = st.uuids(version=4)


@given(UIDS, st.binary(min_size=32, max_size=32))
def test_nothing_of_a_uid_is_in_what_replaces_it(uid: str, key: bytes):
    made = remapped(uid, key)
    assert made.startswith("2.25.")
    assert len(made) <= LENGTH_MAX
    assert all(arc == str(int(arc)) for arc in made.split("."))
    assert not runs(uid) & runs(made.removeprefix("2.25."))
    assert remapped(uid, key) == made
    assert FORMS["oid"][1](f"urn:oid:{made}")


def test_without_the_second_try_digits_are_shared(monkeypatch: pytest.MonkeyPatch):
    uids = [f"1.2.840.99999.{number:040}" for number in range(10**39, 10**39 + 60)]
    assert all(not runs(one) & runs(remapped(one, KEY)[5:]) for one in uids)
    monkeypatch.setattr(action, "_RUN", 1_000)
    assert any(runs(one) & runs(remapped(one, KEY)[5:]) for one in uids)


@given(UUIDS)
def test_one_thing_has_one_name_however_it_is_written(one: uuid.UUID):
    made = uuid.UUID(remapped(str(one), KEY))
    assert made != one
    assert made.version == 8
    assert remapped(str(one).upper(), KEY) == str(made)
    assert remapped(one.urn, KEY) == made.urn
    assert remapped(f"2.25.{one.int}", KEY) == f"2.25.{made.int}"
    assert remapped(f"urn:oid:2.25.{one.int}", KEY) == f"urn:oid:2.25.{made.int}"
    assert not runs(one.hex) & runs(made.hex)
    assert FORMS["uuid"][1](remapped(one.urn, KEY))


def test_names_of_other_subjects_and_values_differ():
    assert remapped("1.2.840.99999.1", KEY) != remapped("1.2.840.99999.2", KEY)
    assert remapped("1.2.840.99999.1", KEY) != remapped("1.2.840.99999.1", OTHER)
    assert remapped(" 1.2.840.99999.1\0", KEY) == remapped("1.2.840.99999.1", KEY)


@pytest.mark.parametrize(
    "uid",
    [
        *("1.2.840.10008.1.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.1.99"),
        *("1.2.840.10008.5.1.4.1.1.77.1.5.4", "1.2.840.10008.6.1.1357", "1.2.840.10008.15.0.3.10"),
        *(
            "1.2.840.10008.1.4.1.1",
            "1.2.840.10008.2.16.4",
            "1.2.840.10008.1.40.1",
            "urn:oid:1.2.840.10008.1.20.1",
        ),
    ],
)
def test_uids_of_the_standard_stay(uid: str):
    assert remapped(uid, KEY) == uid


@pytest.mark.parametrize(
    "uid",
    ["1.2.840.10008.5.1.4.1.1.20260101", "1.2.840.10008.1.1.4711", "1.2.840.10008", "1.2.840.100085.1.2"],
)
def test_what_only_begins_like_one_does_not(uid: str):
    assert remapped(uid, KEY).startswith("2.25.")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "SMITH",
        "4711",
        "1.5",
        "urn:oid:SMITH",
        "urn:uuid:1.2.3",
        "http://x/1.2.3",
        "1..2.3",
        "12.3.4 SMITH",
    ],
)
def test_what_is_none_is_removed(value: str):
    assert remapped(value, KEY) == ""


def test_the_action_needs_the_subjects_key():
    assert applied("uid", "1.2.840.99999.1") == remapped("1.2.840.99999.1", SEEDS.subject_seed)
    with pytest.raises(DeidentificationError) as caught:
        applied("uid", "1.2.840.99999.1", Seeds(b"", b"", "X"))
    assert "99999" not in str(caught.value)
