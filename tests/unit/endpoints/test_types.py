"""Types in the words of hospitals' lists, English and German, are those of the vocabulary."""

import pytest
from tests.unit.endpoints.conftest import DAY, T, says

from oathward.endpoints import types
from oathward.endpoints.types import type_of
from oathward_sim.estate import kinds


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("Infusionspumpe", "infusion-pump"),
        ("Spritzenpumpe", "syringe-pump"),
        ("PATIENTENMONITOR", "patient-monitor"),
        ("Beatmungsgerät", "ventilator"),
        ("Beatmungsgeraet", "ventilator"),
        ("Ultraschall", "ultrasound"),
        ("EKG", "ecg"),
        ("X-Ray", "x-ray"),
        ("infusion_pump", "infusion-pump"),
        ("Blue thing", ""),
    ],
)
def test_a_lists_word_is_the_vocabularys(said, word):
    assert type_of(said) == word


@pytest.mark.parametrize("word", sorted({kind.word for kind in (*kinds.KINDS, kinds.GATEWAY)}))
def test_every_type_of_the_made_up_estate_is_known(word):
    assert type_of(word) in types.TYPES


def test_no_spelling_means_two_types():
    found: dict[str, set[str]] = {}
    for word, spellings in types._LISTS.items():
        for one in (*spellings, word, types.TYPES[word].words):
            found.setdefault(types._folded(one), set()).add(word)
    assert {spelling: words for spelling, words in found.items() if len(words) > 1} == {}


def test_two_languages_are_no_difference_and_lists_show_the_one_word(inventory):
    inventory.take(says(T, source="cmms", tag="1", facts=[("type", "Infusionspumpe", 1.0)]))
    inventory.take(says(T + DAY, source="netbox", tag="1", facts=[("type", "Infusion Pump", 1.0)]))
    [row] = inventory.rows(equal={"type": "infusion-pump"})
    said = [one for one in inventory.whole(row.id).attributes if one.attribute == "type"]
    assert {(one.value, one.conflict) for one in said} == {
        ("Infusionspumpe", False),
        ("Infusion Pump", False),
    }
    assert inventory.rows(disagree=True) == []
