"""Pseudonyms in the shape of the value, masks, bands, areas, dummies: what stays is what the action says, and no more."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.shaped import SEEDS, applied, runs

from oathward.core.errors import DeidentificationError
from oathward.deid.action import Seeds, actions
from oathward.deid.actions import pseudonym
from oathward.deid.actions.generalise import COUNTRIES
from oathward.protocols.fhir.primitives import FORMS
from oathward.protocols.shaping import REMOVE

KEY = st.binary(min_size=32, max_size=32)
IDS = (
    st.from_regex(r"[0-9]{6,20}", fullmatch=True)
    | st.from_regex(r"[A-Z]{2,4}-[0-9]{6,9}", fullmatch=True)
    | st.from_regex(r"[A-Za-z0-9/-]{8,30}", fullmatch=True)
)
KEEP_SHAPE = {"shape": ("keep",)}


def shaped(value: str, seeds: Seeds = SEEDS, cls: str = "order", check: str = "") -> str:
    return applied("pseudonym", value, seeds, cls, "", KEEP_SHAPE | ({"check": (check,)} if check else {}))


@given(value=IDS, key=KEY)
def test_a_name_in_the_shape_of_a_value_has_no_run_of_it(value: str, key: bytes):
    made = shaped(value, Seeds(key, key, "X"))
    assume(made)
    assert len(made) == len(value)
    for one, other in zip(value, made, strict=True):
        assert (one.isdecimal(), one.isupper(), one.islower()) == (
            other.isdecimal(),
            other.isupper(),
            other.islower(),
        )
        assert one.isalnum() or one == other
    alike = runs(value) & runs(made)
    assert all(not any(map(str.isalnum, run)) for run in alike)
    assert made == shaped(value, Seeds(key, key, "X"))


def test_without_the_next_try_a_run_may_be_shared(monkeypatch: pytest.MonkeyPatch):
    values = [f"{n:020}" for n in range(10**19, 10**19 + 100)]
    assert all(not runs(one) & runs(shaped(one)) for one in values)
    pseudonym._named.cache_clear()
    monkeypatch.setattr(pseudonym, "shares", lambda _made, _value: False)
    assert any(runs(one) & runs(shaped(one)) for one in values)
    pseudonym._named.cache_clear()


@given(
    one=st.from_regex(r"[0-9]{8}", fullmatch=True), other=st.from_regex(r"[0-9]{8}", fullmatch=True), key=KEY
)
def test_the_persons_name_knows_the_shape_alone(one: str, other: str, key: bytes):
    seeds = Seeds(key, key, "X")
    assert shaped(one, seeds, "patient.identifier") == shaped(other, seeds, "patient.identifier")
    assert shaped(one, seeds) != shaped(other, seeds) or one == other


def test_names_of_two_projects_differ():
    assert shaped("MRN-123456", Seeds(bytes(32), b"", "X")) != shaped("MRN-123456", SEEDS)
    with pytest.raises(DeidentificationError):
        shaped("MRN-123456", Seeds(b"", b"", "X"))


@pytest.mark.parametrize("value", ["12345", "A1", "", "---", "ABCD", "x" * 65])
def test_what_has_no_room_for_a_name_is_removed(value: str):
    assert shaped(value) == ""


def test_uids_keep_the_form_of_uids_and_dotted_numbers_their_own():
    assert shaped("1.2.840.99999.5.1") == applied("uid", "1.2.840.99999.5.1")
    assert shaped("urn:uuid:0a0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a").startswith("urn:uuid:")
    assert [len(part) for part in shaped("12.345.678").split(".")] == [2, 3, 3]


def luhn_holds(digits: str) -> bool:
    doubled = [int(one) * (1 + place % 2) for place, one in enumerate(reversed(digits))]
    return sum(sum(map(int, str(one))) for one in doubled) % 10 == 0


def nhs_holds(digits: str) -> bool:
    return (
        sum(int(one) * (10 - place) for place, one in enumerate(digits[:9])) % 11
        == (11 - int(digits[9])) % 11
    )


def test_the_checks_know_published_numbers():
    assert luhn_holds("79927398713")
    assert luhn_holds("808401234567893")  # the example of the NPI standard
    assert nhs_holds("9434765919")
    assert not nhs_holds("9434765918")


@given(value=st.from_regex(r"[1-9][0-9]{9}", fullmatch=True), key=KEY)
def test_check_digits_hold(value: str, key: bytes):
    seeds = Seeds(key, key, "X")
    assert luhn_holds(shaped(value, seeds, check="luhn"))
    assert luhn_holds("80840" + shaped(value, seeds, check="npi"))
    assert nhs_holds(shaped(value, seeds, check="nhs"))
    assert not runs(value) & runs(shaped(value, seeds, check="luhn"))


@given(value=st.text("ABCDEFGH0123456789", max_size=30), last=st.integers(0, 4))
def test_a_mask_leaves_only_the_last(value: str, last: int):
    made = applied("mask", value, parameters={"last": (str(last),)})
    left = made.lstrip("*")
    assert value.endswith(left)
    assert len(left) <= min(last, len(value) // 3)
    assert len(made) == min(len(value), 16)
    assert not runs(value) & runs(made) or left == value[-4:]


def test_a_mask_leaves_nothing_where_it_is_not_told_to():
    assert applied("mask", "123456789012") == "************"
    assert applied("mask", "12345678", parameters={"last": ("4",)}) == "********"
    assert applied("mask", "123456789012", parameters={"last": ("4",)}) == "********9012"


@pytest.mark.parametrize(
    ("value", "given", "made"),
    [
        ("0", {}, "0-4"),
        ("44", {}, "40-44"),
        ("44.9", {}, "40-44"),
        ("89", {}, "85-89"),
        ("90", {}, "90+"),
        ("104", {}, "90+"),
        ("44", {"width": ("10",)}, "40-49"),
        ("86", {"width": ("7",)}, "84-89"),
        ("44", {"width": ("10",), "show": ("least",)}, "40"),
        ("95", {"show": ("least",)}, "90"),
        ("104.5", {"width": ("20",), "over": ("199",)}, "100-119"),
        ("044Y", {}, "040Y"),
        ("095Y", {}, "090Y"),
        ("011M", {}, "000Y"),
        ("400M", {}, "030Y"),
        ("-4", {}, ""),
        ("about 44", {}, ""),
        ("44Y", {}, ""),
        ("1234567", {}, ""),
        ("٤٤", {}, ""),
        ("", {}, ""),
    ],
)
def test_bands(value: str, given: dict[str, tuple[str, ...]], made: str):
    assert applied("bands", value, parameters=given) == made


@given(value=st.integers(0, 999_999), width=st.integers(1, 30))
def test_a_number_lies_in_its_band_and_none_over_89_is_shown(value: int, width: int):
    made = applied("bands", str(value), parameters={"width": (str(width),)})
    if value > 89:
        assert made == "90+"
    else:
        low, high = map(int, made.split("-"))
        assert low <= value <= high <= 89
        assert high - low < width


@pytest.mark.parametrize(
    ("country", "value", "left"),
    [
        ("US", "12345-6789", "123"),
        ("US", "03601", "000"),
        ("DE", "10115", "10"),
        ("GB", "SW1A 1AA", "SW"),
        ("GB", "m1 1ae", "M"),
        ("CA", "K1A 0B1", "K"),
        ("ES", "28013", "28"),
        ("ES", "99999", ""),
        ("NL", "1012 AB", "10"),
        ("AT", "1010", "1"),
        ("DE", "SW1A 1AA", ""),
        ("DE", "10115 Berlin", ""),
    ],
)
def test_postcodes_are_cut_as_their_country_cuts_them(country: str, value: str, left: str):
    assert (
        applied(
            "generalise", value, cls="patient.address", part="postcode", parameters={"country": (country,)}
        )
        == left
    )


@given(value=st.text("ABCDEFGH0123456789 -", max_size=12), country=st.sampled_from(COUNTRIES))
def test_of_a_postcode_three_characters_are_left_at_most(value: str, country: str):
    made = applied(
        "generalise", value, cls="patient.address", part="postcode", parameters={"country": (country,)}
    )
    assert len(made) <= 3
    assert not runs(value) & runs(made)


def test_the_rest_of_a_generalised_address_goes():
    rule = actions()["generalise"].rule
    assert {
        rule("patient.address", part, {"country": ("DE",)}) for part in ("", "street", "city", "rest")
    } == {REMOVE}
    assert applied("generalise", "Bavaria", part="state", parameters={"country": ("DE",)}) == ""
    assert applied("generalise", "BY", part="state", parameters={"country": ("DE",)}) == "BY"


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        ("date", "1948-01-13", "1900-01-01"),
        ("date", "1948", "1900"),
        ("dateTime", "1948-01-13T10:20:30.5+02:00", "1900-01-01T00:00:00.0+00:00"),
        ("instant", "1948-01-13T10:20:30Z", "1900-01-01T00:00:00Z"),
        (
            "uuid",
            "urn:uuid:0a0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a",
            "urn:uuid:00000000-0000-8000-8000-000000000000",
        ),
        ("oid", "urn:oid:1.2.840.99999.5", "urn:oid:2.25.0"),
        ("string", "19480113", "19000101"),
        ("string", "SMITH", "XXX"),
        ("string", "12.3.4", "XXX"),
    ],
)
def test_a_dummy_has_the_form_of_its_type(kind: str, value: str, made: str):
    assert applied("dummy", value) == made
    assert FORMS[kind][1](made)
    assert applied("dummy", value, parameters={"text": ("N/A",)}) == "N/A"


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{4,14}", fullmatch=True))
def test_a_dummy_says_nothing_but_a_form(value: str):
    made = applied("dummy", value)
    assert (
        made == "XXX" or set(made) <= set("190-T:.Z+") or made.endswith(("2.25.0", "8000-8000-000000000000"))
    )


@pytest.mark.parametrize("check", [(), ("luhn",), ("npi",), ("nhs",)])
@pytest.mark.parametrize("value", ["12345678", "4857773456", "AB-123456-C", "123.456.789-09"])
def test_a_name_is_led_back_by_its_seed_and_by_no_other(value, check):
    parameters = {"shape": ("keep",)} | ({"check": check} if check else {})
    own, other = (bytes([n]) * 32 for n in (1, 2))
    name = pseudonym.ACTION.rule(pseudonym.PERSON, "", parameters)(value, Seeds(own, b"", ""))
    assert name
    assert pseudonym.may_be_of(name, own)
    assert not pseudonym.may_be_of(name, other)
    token = pseudonym.ACTION.rule(pseudonym.PERSON, "", {})(value, Seeds(own, b"", ""))
    assert pseudonym.is_of(f" {token.lower()} ", own)
    assert not pseudonym.is_of(token, other)
    assert not pseudonym.is_of(name, own)
