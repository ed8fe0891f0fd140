"""What is known of a patient is found in what was written, however it is written; what a profile keeps is not looked for."""

import base64

import pytest

from oathward.core.words import WordHasher
from oathward.deid.profile import builtin_profiles
from oathward.deid.text.model import Known
from oathward.deidentifying.residue import found_in, leaves_dates, words_of

WORDS = WordHasher(bytes(32))
KNOWN = Known(
    (
        ("patient.name", "", "Quixley"),
        ("patient.name", "", "Zoë"),
        ("patient.identifier", "", "MRN-0042-7731"),
        ("patient.contact", "", "+1 (555) 123-4567"),
        ("patient.address", "street", "12 Vossler Lane"),
        ("patient.address", "city", "Springfield"),
        ("patient.birth-date", "", "19480229"),
        ("observation.value", "", "987654321"),
    )
)
SECRETS = words_of(KNOWN, builtin_profiles()["safe-harbor"], WORDS)


@pytest.mark.parametrize(
    ("text", "cls"),
    [
        ("PID|||00427731 MRN00427731^^^H", "patient.identifier"),
        ("seen by Zoe QUIXLEY today", "patient.name"),
        ("QUIXLEY^ZOË", "patient.name"),
        ("call 1-555-123-4567 now", "patient.contact"),
        ("12 vossler lane", "patient.address"),
        ("born 1948-02-29.", "patient.birth-date"),
        (base64.b64encode(b"a letter to Zoe Quixley, at home").decode(), "patient.name"),
        (base64.b64encode(base64.b64encode(b"a letter to Zoe Quixley, at home")).decode(), "patient.name"),
    ],
)
def test_it_is_found(text, cls):
    assert found_in(text.encode(), WORDS, SECRETS) == {cls: 1}


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_it_is_found_in_utf_16_too(mark):
    text = "\ufeffa letter to Zoe Quixley".encode(mark)
    assert found_in(text, WORDS, SECRETS) == found_in(base64.b64encode(text), WORDS, SECRETS)
    assert found_in(text, WORDS, SECRETS) == {"patient.name": 1}


@pytest.mark.parametrize(
    "text", ["Quixley alone", "Springfield", "987654321", "1948", "", "Zoe and somebody and Quixley"]
)
def test_what_is_no_secret_or_no_whole_one_is_not(text):
    assert not found_in(text.encode(), WORDS, SECRETS)


def test_what_a_profile_keeps_is_not_looked_for():
    kept = words_of(KNOWN, builtin_profiles()["limited-data-set"], WORDS)
    assert not found_in(b"1948-02-29", WORDS, kept)
    assert found_in(b"Zoe Quixley", WORDS, kept)


@pytest.mark.parametrize(
    ("cls", "part", "value"),
    [
        ("staff.identifier", "", "PROVIDER"),
        ("patient.identifier", "", " Unknown "),
        ("relative.address", "street", "Street"),
    ],
)
def test_a_value_that_is_a_word_of_every_text_is_not_looked_for(cls, part, value):
    profile = builtin_profiles()["safe-harbor"]
    assert not words_of(Known(((cls, part, value),)), profile, WORDS)
    assert words_of(Known(((cls, part, f"{value.strip()}7"),)), profile, WORDS)
    assert words_of(Known((("patient.contact", "", "anna@home.example"),)), profile, WORDS)


@pytest.mark.parametrize(
    ("profile", "leaves"),
    [("safe-harbor", False), ("research", True), ("gdpr-pseudonymised", True), ("limited-data-set", True)],
)
def test_which_profiles_leave_whole_days(profile, leaves):
    assert leaves_dates(builtin_profiles()[profile]) is leaves


def test_two_names_of_places_are_no_third_one():
    profile = builtin_profiles()["safe-harbor"]
    both = [(("organisation.name", "", name), ("patient.name", "", name)) for name in ("Floor", "Building")]
    organisation, patient = zip(*both, strict=True)
    assert not words_of(Known(organisation), profile, WORDS)
    assert words_of(Known(patient), profile, WORDS)


def test_the_whole_name_of_a_place_is_one_where_places_do_not_stay():
    known = Known((("organisation.name", "", "St. Elsewhere"),))
    found = words_of(known, builtin_profiles()["research"], WORDS)
    assert found_in(b"seen at ST ELSEWHERE", WORDS, found) == {"organisation.name": 1}
    assert not words_of(known, builtin_profiles()["gdpr-pseudonymised"], WORDS)


def test_no_value_is_held():
    assert all(isinstance(word, bytes) and len(word) == 8 for word in SECRETS)
