"""In which language a text is: told only where it is plain, and by what was said with it."""

from __future__ import annotations

import pytest

from oathward.deid.text.find import find
from oathward.deid.text.language import foreign, language_of
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


FOREIGN = {
    "de": "Die Patientin wurde am Montag mit Schmerzen im Bauch aufgenommen; sie ist bei Bewusstsein und wird nach Hause entlassen.",
    "fr": "La patiente est venue avec son fils pour une douleur dans le dos; elle ne prend pas de traitement depuis des mois.",
    "it": "Il paziente è stato visto nel reparto per dolore; non sono presenti segni di infezione della ferita, anche dopo la visita.",
    "pt": "O paciente foi visto com o filho por dor nas costas, sem febre, e não tem queixas após o tratamento em casa.",
    "nl": "De patiënt werd met pijn op de borst naar het ziekenhuis gebracht en heeft geen koorts; een foto van het hart werd gemaakt.",
    "sv": "Patienten har ont i ryggen och det är inte första gången som hon söker för detta; utan feber, och med god aptit.",
    "da": "Patienten har ondt i ryggen og det er ikke første gang; hun blev set af lægen og er uden feber på afdelingen.",
    "pl": "Pacjent został przyjęty na oddział z bólem; nie ma gorączki i jest bez objawów od tygodnia, w stanie dobrym.",
    "und": "Пациентка поступила с болью в спине, температуры нет.",
}


@pytest.mark.parametrize("language", FOREIGN)
def test_a_text_in_a_language_that_nobody_measured_is_told(language: str) -> None:
    """Else it would pass as one whose language is not plain, by what was measured of others."""
    assert foreign(tokens(FOREIGN[language])) == language
    assert recall_of(foreign(tokens(FOREIGN[language]))) == 0


@pytest.mark.parametrize(
    "text", [SPANISH, ENGLISH, "", "Hb 95; Na 140 mmol/l.", SPANISH + ENGLISH, "Pt c/o pain."]
)
def test_a_text_in_one_of_ours_is_none_of_them(text: str) -> None:
    assert foreign(tokens(text)) == ""
