"""Who an identifier names: by authority and type, never by a guess."""

import pytest
from tests.unit.patients.making import KEY, PUMP, SITE, Sender, message, oru, pid

from oathward.core.authorities import Authorities
from oathward.core.phi import Phi
from oathward.patients import identifiers
from oathward.patients.identifiers import Hasher, Identifier, Reading, from_cx, is_placeholder

HASHER = Hasher(KEY, SITE, Authorities({"HOSP": ["HOSPITAL", "1.2.3"]}))


def read(cx: str, source=PUMP, hasher=HASHER, **options):
    m = oru(cx)
    return Reading(m, source, hasher).identifiers(cx.encode(), **options)


@pytest.mark.parametrize(
    ("cx", "authority", "type_"),
    [
        ("123^^^HOSP^MR", "HOSP", "MR"),
        ("123^^^HOSP", "HOSP", "MR"),
        ("123^^^HOSP^mr", "HOSP", "MR"),
        ("123^^^HOSPITAL^MR", "HOSP", "MR"),
        ("123^^^HOSP&1.2.3&ISO^MR", "HOSP", "MR"),
        ("123^^^&urn:oid:1.2.3&ISO^MR", "HOSP", "MR"),
        ("123^^^HOSP&9.9.9&ISO^MR", "ISO:9.9.9", "MR"),
        ("123^^^&9.9.9&iso^MR", "ISO:9.9.9", "MR"),
        (" 123 ^^^HOSP^MR", "HOSP", "MR"),
        ("123^^^GOV^NNGBR", "GOV", "NNGBR"),
    ],
)
def test_authority_and_type(cx, authority, type_):
    (found,) = read(cx)
    assert found == Identifier(Phi("123"), authority, type_)


@pytest.mark.parametrize(
    "cx", ["1^^^HOSP^SS", "1^^^HOSP^HC", "1^^^HOSP^DL", "1^^^HOSP^ANON", "1^^^HOSP^CC", "1^^^X^NNGB"]
)
def test_numbers_that_families_share_or_people_mistype_do_not_identify(cx):
    assert read(cx) == []


@pytest.mark.parametrize(
    "value", ["", '""', "UNKNOWN", "unknown", "N/A", "0", "000000", "99999999", "No Patient", "?", "   "]
)
def test_placeholders_name_nobody(value):
    assert read(f"{value}^^^HOSP^MR") == []
    assert is_placeholder(value.strip())


@pytest.mark.parametrize("value", ["9", "99", "1", "A0", "123"])
def test_short_numbers_are_numbers(value):
    assert len(read(f"{value}^^^HOSP^MR")) == 1


def test_without_authority_it_is_local_to_its_device():
    (a,), (b,) = read("7^^^^MR", Sender("pump-1")), read("7^^^^MR", Sender("pump-2"))
    assert a.local
    assert HASHER.identifier(a) != HASHER.identifier(b)


def test_a_device_cannot_pose_as_an_authority():
    """A named authority spelled like a device id is still another thing than the device."""
    (local,), (named,) = read("7", Sender("HOSP")), read("7^^^HOSP", Sender("other"))
    assert HASHER.identifier(local) != HASHER.identifier(named)


def test_the_configured_authority_and_type_of_the_source_fill_in():
    (found,) = read("7", Sender("pump-1", "HOSPITAL", "MR"))
    assert found == Identifier(Phi("7"), "HOSP", "MR")


def test_fields_of_other_organisations_need_their_authority():
    assert read("7", Sender("p", "HOSP", "MR"), named_only=True) == []
    assert len(read("7^^^LAB", Sender("p", "HOSP", "MR"), named_only=True)) == 1


def test_person_and_encounter_never_share_a_hash():
    person, visit = Identifier(Phi("7"), "HOSP", "AN"), Identifier(Phi("7"), "HOSP", "AN", encounter=True)
    assert HASHER.identifier(person) != HASHER.identifier(visit)


def test_parts_cannot_be_shifted_into_one_another():
    a, b = Identifier(Phi("B1"), "A", "MR"), Identifier(Phi("1"), "A", "MRB")
    c, d = Identifier(Phi("1"), "AB", "C"), Identifier(Phi("1"), "A", "BC")
    assert len({HASHER.identifier(x) for x in (a, b, c, d)}) == 4


def test_site_and_key_divide():
    one = Identifier(Phi("1"), "HOSP", "MR")
    hashes = {h.identifier(one) for h in (Hasher(KEY, "a"), Hasher(KEY, "b"), Hasher(b"k" * 32, "a"))}
    assert len(hashes) == 3


def test_escapes_and_character_sets_are_read_before_hashing():
    (found,) = read("1\\T\\2^^^HOSP^MR")
    assert found.value.reveal() == "1&2"
    m = message("ORU^R01", pid("Ä1^^^HOSP^MR"), separators="^~\\&")
    decomposed = message("ORU^R01", pid("A\u03081^^^HOSP^MR"))
    spoken = [Reading(x, PUMP, HASHER).spoken(x, x.named(b"PID")[0], None) for x in (m, decomposed)]
    assert spoken[0] == spoken[1]


def test_repetitions_are_bounded():
    assert len(read("~".join(f"{n}^^^HOSP^MR" for n in range(1, 100)))) == identifiers.REPETITIONS_MAX


def test_an_identifier_does_not_print():
    (found,) = read("314159^^^HOSP^MR")
    assert "314159" not in repr(found)


def test_from_cx():
    assert from_cx("12^^^HOSPITAL^", HASHER) == Identifier(Phi("12"), "HOSP", "MR")
    assert from_cx("12", HASHER) is None
    assert from_cx("UNKNOWN^^^HOSP^MR", HASHER) is None


def test_a_short_key_is_refused():
    with pytest.raises(ValueError, match="index key"):
        Hasher(b"short", SITE)
