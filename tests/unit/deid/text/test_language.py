"""In which language a text is: told only where it is plain, and by what was said with it."""

from __future__ import annotations

import pytest

from oathward.deid.text.find import find
from oathward.deid.text.language import language_of
from oathward.deid.text.measured import RECALL, recall_of
from oathward.deid.text.model import NOTHING, Context
from oathward.deid.text.recogniser import recognisers
from oathward.deid.text.tokens import tokens
from oathward.protocols.shaping import REMOVE

SPANISH = "Varón que acude con su hijo por un cuadro de dolor en el flanco desde hace un mes, sin fiebre, al que se le pide una ecografía."
ENGLISH = "The patient was seen with his son for pain in the flank that has been there for a month, and is without fever."


@pytest.mark.parametrize(
    ("text", "said", "language"),
    [
        (SPANISH, "", "es"),
        (ENGLISH, "", "en"),
        (SPANISH + ENGLISH, "", ""),
        (ENGLISH * 3 + " Acude con su hijo por dolor.", "", ""),
        ("Dolor torácico", "", ""),
        ("", "", ""),
        (ENGLISH, "es", "es"),
        (ENGLISH, "es-MX", "es"),
        (SPANISH, "EN_us", "en"),
        (ENGLISH, "fr", ""),
    ],
)
def test_a_language_is_told_where_it_is_plain(text: str, said: str, language: str) -> None:
    assert language_of(tokens(text), said) == language


def test_every_language_of_a_recogniser_can_be_told() -> None:
    own = {language for part in recognisers().values() for language in part.languages}
    assert all(language_of(tokens(""), language) == language for language in own)


@pytest.mark.parametrize("said", ["", "es", "es-MX", "fr"])
def test_a_text_of_no_plain_language_is_read_by_all_recognisers(said: str) -> None:
    text = "Remitido por: Dra. Julia Pais Blanco"
    spans = find(text, Context(NOTHING, lambda _cls, _part: REMOVE, said))
    assert any(text[s.start : s.end] == "Julia Pais Blanco" for s in spans)


def test_what_was_measured_of_a_language_holds_for_it_in_every_country() -> None:
    assert recall_of("es-MX") == recall_of("es") == RECALL["es"]
    assert recall_of("fr") == 0
    assert recall_of("") == min(RECALL.values())
