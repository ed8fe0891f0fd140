"""The card holds what PID says; its words are found in every disguise the guard undoes."""

import json

import pytest
from tests.unit.patients.making import WORD_KEY, message

from oathward.core.words import WordHasher, token_of
from oathward.patients.card import card_of, word_of_identifier, words_of_card
from oathward.patients.model import WordKind

HASHER = WordHasher(WORD_KEY)
PID = (
    "PID|1|EXT77777^^^LAB|31415926^^^HOSP^MR~ZN998877^^^INS^HC||Müller&von^Iris^Q^^Dr~Quill^Iris^^^^^M|Vexler^Ada"
    "|19560229|F||2106-3|12 Long Wharf^Flat 3^Saltingham^^SX1 2AB^GBR^H||(0555) 321-4567^PRN^PH"
    "~^NET^Internet^iris.m@example.org|^^^^44^20^7946^^|en|M|CAT|ACC4711^^^HOSP|078051120|D99|||||||||20260102|N"
)
MESSAGE = message("ADT^A28", PID)
WORDS = dict(words_of_card(MESSAGE, MESSAGE.named(b"PID")[0], HASHER))


def test_the_card_is_structured_and_canonical():
    raw = card_of(MESSAGE)
    card = json.loads(raw)
    assert card["names"][0] == {"family": "Müller&von", "given": "Iris", "further": "Q", "prefix": "Dr"}
    assert card["identifiers"][1] == {"value": "31415926", "authority": "HOSP", "type": "MR"}
    assert (card["birth"], card["sex"], card["death"], card["dead"]) == ("19560229", "F", "20260102", "N")
    assert card["contacts"][1]["email"] == "iris.m@example.org"
    assert list(card) == sorted(card)
    assert card_of(message("ADT^A28", PID)) == raw


def test_an_empty_card_is_empty():
    assert json.loads(card_of(message("ADT^A28", 'PID|||||""^""'))) == {}
    assert json.loads(card_of(message("ADT^A28"))) == {}


@pytest.mark.parametrize("name", ["muller", "mueller", "iris", "quill", "vexler", "ada", "von"])
def test_words_of_names(name):
    assert WORDS[HASHER.word(name)] is WordKind.NAME


@pytest.mark.parametrize("word", ["wharf", "flat", "saltingham", "sx1", "2ab"])
def test_words_of_addresses(word):
    assert WORDS[HASHER.word(word)] is WordKind.WORD


@pytest.mark.parametrize(
    "value",
    [
        "MÜLLERVON Iris", "iris, quill", "Quill Iris", "0555 3214567", "iris.m@EXAMPLE.org", "44 20 7946",
    ],
)  # fmt: skip
def test_whole_values(value):
    assert WORDS[HASHER.token(token_of(value))] is WordKind.TOKEN


@pytest.mark.parametrize("value", ["1956-02-29", "29.02.1956", "02/29/1956"])
def test_birth_dates(value):
    assert WORDS[HASHER.token(token_of(value))] is WordKind.BIRTH


@pytest.mark.parametrize("value", ["31415926", "EXT-77777", "ZN998877", "ACC4711", "078-05-1120"])
def test_identifiers(value):
    assert WORDS[HASHER.token(token_of(value))] is WordKind.IDENTIFIER


def test_short_identifiers_are_words_and_shorter_ones_nothing():
    assert word_of_identifier("D99", HASHER) == (HASHER.word("d99"), WordKind.WORD)
    assert word_of_identifier("7", HASHER) is None


def test_no_more_words_than_a_card_has():
    many = "~".join(f"Name{n}^Given{n}" for n in range(1_000))
    m = message("ADT^A28", f"PID|||||{many}")
    assert len(words_of_card(m, m.named(b"PID")[0], HASHER)) == 400
