"""What comes out of an action: nothing of what went in, and always the same for the same."""

import re
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.shaped import SEEDS

from oathward.core.errors import DeidentificationError
from oathward.deid import action
from oathward.deid.action import ALPHABET, TOKEN_LENGTH, Action, Parameters, Seeds, actions, token
from oathward.deid.actions import postcode3
from oathward.protocols.shaping import KEEP, REMOVE, Quick, Ruling

KEY = st.binary(min_size=32, max_size=32)
SECRET = (
    st.text(min_size=1, max_size=40)
    | st.text("0123456789", min_size=4, max_size=12)
    | st.text(ALPHABET, min_size=4)
)
PERSONAL = st.sampled_from(
    ["patient.identifier", "patient.name", "patient.encounter", "device.identity", "order"]
)


def ruling(
    name: str, cls: str = "patient.identifier", part: str = "", **parameters: tuple[str, ...]
) -> Ruling:
    return actions()[name].rule(cls, part, parameters)


def apply(name: str, value: str, seeds: Seeds = SEEDS, **more: str) -> str:
    found = ruling(name, **more)
    assert callable(found)
    return found(value, seeds)


def runs(text: str) -> set[str]:
    return {text[i : i + 4] for i in range(len(text) - 3)}


def test_the_actions_are_these():
    assert set(actions()) >= {
        *("keep", "remove", "pseudonym", "alias", "year", "birth_year", "shift", "uid"),
        *("postcode3", "generalise", "town", "listed", "bands", "mask", "dummy"),
    }
    assert all(isinstance(found, Action) for found in actions().values())


def test_keep_keeps_and_remove_removes():
    assert ruling("keep") is KEEP
    assert ruling("keep", part="rest") is KEEP
    assert ruling("remove") is REMOVE


@given(secret=SECRET, key=KEY, cls=PERSONAL, name=st.sampled_from(["pseudonym", "alias"]))
def test_nothing_of_a_secret_is_in_what_replaces_it(secret: str, key: bytes, cls: str, name: str):
    made = apply(name, secret, Seeds(key, key, "X"), cls=cls)
    assert re.fullmatch(f"[{ALPHABET}]{{{TOKEN_LENGTH}}}", made)
    if cls != "patient.identifier":  # that one does not see the value at all, see below
        assert not runs(unicodedata.normalize("NFC", secret).strip().upper()) & runs(made)


def test_without_the_second_try_a_token_may_share_characters(monkeypatch: pytest.MonkeyPatch):
    secret = token(SEEDS.subject_seed, "x", "a")[:5]
    clash = f"{secret} "
    assert not runs(clash.strip()) & runs(token(SEEDS.subject_seed, "x", clash))
    monkeypatch.setattr(action, "_RUN", 1_000)
    made = {token(SEEDS.subject_seed, "x", str(n)) for n in range(300)}
    monkeypatch.undo()
    values = [made_one[3:7] for made_one in made]
    assert all(not runs(v) & runs(token(SEEDS.subject_seed, "x", v)) for v in values)


@given(one=SECRET, other=SECRET, key=KEY)
def test_a_persons_pseudonym_does_not_depend_on_the_identifier(one: str, other: str, key: bytes):
    seeds = Seeds(key, key, "X")
    assert apply("pseudonym", one, seeds) == apply("pseudonym", other, seeds)


@given(value=SECRET, project=KEY, other=KEY)
def test_pseudonyms_are_stable_in_a_project_and_differ_between_projects(
    value: str, project: bytes, other: bytes
):
    assume(project != other)
    for name, cls in (
        ("pseudonym", "patient.identifier"),
        ("pseudonym", "order"),
        ("alias", "device.identity"),
    ):
        here, again = (apply(name, value, Seeds(project, project, "X"), cls=cls) for _ in range(2))
        there = apply(name, value, Seeds(other, other, "X"), cls=cls)
        assert here == again
        assert here != there


def test_values_of_different_kinds_have_different_pseudonyms():
    made = {
        apply("pseudonym", "123", cls=cls) for cls in ("patient.identifier", "patient.encounter", "order")
    }
    assert len(made) == 3
    assert apply("pseudonym", "123", cls="order") != apply("pseudonym", "124", cls="order")
    assert apply("pseudonym", " e\u0301 ", cls="order") == apply("pseudonym", "é", cls="order")


def test_an_alias_follows_the_project_and_not_the_patient():
    other_patient = Seeds(bytes(32), SEEDS.device_key, "X")
    assert apply("alias", "EUI1") == apply("alias", "EUI1", other_patient)
    assert apply("pseudonym", "EUI1", cls="order") != apply("pseudonym", "EUI1", other_patient, cls="order")


@pytest.mark.parametrize("key", [b"", b"short", bytes(31), bytes(33)])
def test_no_pseudonym_without_a_key(key: bytes):
    for name in ("pseudonym", "alias"):
        with pytest.raises(DeidentificationError) as caught:
            apply(name, "SECRET", Seeds(key, key, "X"))
        assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("name", ["pseudonym", "alias", "year", "birth_year", "listed", "dummy"])
def test_what_only_qualifies_a_value_goes_with_it(name: str):
    assert ruling(name, part="rest") is REMOVE
    assert ruling(name, part="text") is REMOVE


@pytest.mark.parametrize(
    ("value", "year"),
    [
        ("20260102030405", "2026"),
        ("2026", "2026"),
        ("202601", "2026"),
        ("2026-01-02T03:04:05Z", "2026"),
        ("19480113", "1948"),
        ("20261399", ""),
        ("1130", ""),
        ("01/02/2026", ""),
        ("SMITH", ""),
        ("", ""),
    ],
)
def test_year(value: str, year: str):
    assert apply("year", value) == year


@given(st.text(max_size=20) | st.from_regex(r"[0-9]{4,14}", fullmatch=True))
def test_the_short_way_to_a_year_agrees_with_the_long_one(value: str):
    found = ruling("year")
    assert isinstance(found, Quick)
    short = found.short(value.encode("utf-8", "surrogatepass"))
    assert short is None or short.decode() == found(value, SEEDS)
    assert found(value, SEEDS) in ("", value[:4])


@pytest.mark.parametrize(
    ("value", "now", "year"),
    [
        ("19370101", 2026, "1937"),  # at most 89
        ("19360101", 2026, ""),  # may be 90
        ("19010101", 2026, ""),
        ("20260101", 2026, "2026"),
        ("20270101", 2026, ""),
        ("19800101", 0, ""),  # nobody knows what year it is
        ("unknown", 2026, ""),
    ],
)
def test_a_year_of_birth_never_shows_an_age_over_89(value: str, now: int, year: str):
    assert apply("birth_year", value, Seeds(b"", b"", "X", now), cls="patient.birth-date") == year


@pytest.mark.parametrize(
    ("part", "value", "left"),
    [
        ("postcode", "12345", "123"),
        ("postcode", "12345-6789", "123"),
        ("postcode", "123456789", "123"),
        ("postcode", "03601", "000"),
        ("postcode", "20301-0001", "000"),
        ("postcode", "SW1A 1AA", ""),
        ("postcode", "1234", ""),
        ("state", "NY", "NY"),
        ("state", "New York", ""),
        ("country", "USA", "USA"),
        ("country", "c/o Smith", ""),
    ],
)
def test_of_an_address_three_digits_and_the_state_are_left(part: str, value: str, left: str):
    assert apply("postcode3", value, cls="patient.address", part=part) == left


def test_the_rest_of_an_address_goes():
    assert {ruling("postcode3", part=part) for part in ("", "street", "city", "rest")} == {REMOVE}
    assert {ruling("town", part=part) for part in ("", "street", "rest")} == {REMOVE}
    assert {ruling("town", part=part) for part in ("city", "state", "postcode", "country")} == {KEEP}


def test_the_restricted_prefixes_hold_those_that_hhs_published():
    published = "036 692 878 059 790 879 063 821 884 102 823 890 203 830 893 556 831"
    assert set(published.split()) <= postcode3.RESTRICTED
    assert all(re.fullmatch("[0-9]{3}", prefix) for prefix in postcode3.RESTRICTED)


def test_listed_lets_only_the_list_through():
    rule: Ruling = actions()["listed"].rule("patient.demographic", "", {"values": ("F", "M")})
    assert callable(rule)
    assert [rule(value, SEEDS) for value in ("F", "M", "f", "FM", "", "SMITH")] == ["F", "M", "", "", "", ""]
    ages = actions()["listed"].rule("patient.demographic", "", {"up_to": ("89",)})
    assert callable(ages)
    assert [ages(v, SEEDS) for v in ("0", "44", "89", "90", "101", "-1", "4.5", "٤", "089")] == [
        "0",
        "44",
        "89",
        *[""] * 6,
    ]
    nothing: Parameters = {}
    open_end = actions()["listed"].rule("patient.demographic", "", {"up_to": ("89",), "above": ("90+",)})
    assert callable(open_end)
    assert [open_end(v, SEEDS) for v in ("89", "90", "130", "131", "090", "1234", "F")] == [
        *("89", "90+", "90+", "", "90+", "", ""),
    ]
    empty = actions()["listed"].rule("patient.demographic", "", nothing)
    assert callable(empty)
    assert empty("F", SEEDS) == ""


def test_seeds_do_not_print():
    assert "\\x" not in repr(SEEDS)
    assert repr(SEEDS) == "Seeds(outgoing_id='OUT-1', year=2026, offset_min=0)"
