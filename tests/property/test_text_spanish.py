"""Spanish recognisers hold for all numbers, dates and names of their kinds, wherever they stand in a text."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.deid.text.dictionary import listed
from oathward.deid.text.find import find
from oathward.deid.text.model import NOTHING, Context
from oathward.deid.text.recogniser import recognisers
from oathward.protocols.shaping import REMOVE

CONTEXT = Context(NOTHING, lambda _cls, _part: REMOVE, "es")
OWN = sorted(name for name, part in recognisers("es").items() if part.languages == frozenset({"es"}))
MONTHS = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
]
LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
BEFORE = st.sampled_from(["", "Acude hoy, ", "sin fiebre. ", "dolor;\n", "(", "valorado: "])
AFTER = st.sampled_from(["", ".", " y se va", ", sin más", ")", "\nEvolución: buena"])


def classes_over(text: str, value: str, start: int) -> set[str]:
    """The classes that cover every letter and figure of ``value``; empty where one is left."""
    spans = find(text, CONTEXT)
    over = set()
    for place in range(start, start + len(value)):
        if text[place].isalnum():
            at = [s.cls for s in spans if s.start <= place < s.end]
            if not at:
                return set()
            over |= set(at)
    return over


def planted(before: str, value: str, after: str) -> set[str]:
    return classes_over(before + value + after, value, len(before))


@given(BEFORE, st.integers(0, 99_999_999), st.sampled_from(["", "-", " "]), AFTER)
def test_every_dni_is_found_and_none_with_another_letter(
    before: str, number: int, sep: str, after: str
) -> None:
    right = f"{number:08}{sep}{LETTERS[number % 23]}"
    assert planted(before, right, after) == {"patient.identifier"}


@given(BEFORE, st.integers(1, 66), st.integers(0, 99_999_999), st.sampled_from(["", "/", " "]), AFTER)
def test_every_social_security_number_is_found(
    before: str, province: int, number: int, sep: str, after: str
) -> None:
    whole = int(f"{province}{number:08}") if number >= 10_000_000 else province * 10_000_000 + number
    value = f"{province:02}{sep}{number:08}{sep}{whole % 97:02}"
    assert "patient.identifier" in planted(before, value, after)


@given(
    st.sampled_from(["NHC", "NHC:", "CIPA:", "NASS:", "Nº Historia:", "DNI:", "Tarjeta sanitaria:", "CIP "]),
    st.from_regex(r"[A-Z]{0,3}[0-9]{4,12}", fullmatch=True),
    AFTER,
)
def test_a_number_after_its_label_is_found_right_or_mistyped(label: str, number: str, after: str) -> None:
    assert planted(f"{label} ", number, after) == {"patient.identifier"}


@given(BEFORE, st.dates(date(1900, 1, 1), date(2049, 12, 31)), st.integers(0, 4), AFTER)
def test_every_date_is_found_in_every_form(before: str, day: date, form: int, after: str) -> None:
    month = MONTHS[day.month - 1]
    value = (
        f"{day.day} de {month} de {day.year}",
        f"{day.day:02}/{day.month:02}/{day.year}",
        f"{day.day}-{month[:3]}-{day.year % 100:02}",
        f"{month.capitalize()} {day.year}",
        f"{day.day}.{day.month}.{day.year % 100:02}",
    )[form]
    assert planted(before, value, after) <= {"patient.time"}
    assert planted(before, value, after)


@given(BEFORE, st.sampled_from([6, 7, 9]), st.integers(0, 99_999_999), st.integers(0, 3), AFTER)
def test_every_telephone_is_found(before: str, first: int, rest: int, form: int, after: str) -> None:
    n = f"{first}{rest:08}"
    if len(set(n)) == 1:
        return
    value = (
        n,
        f"{n[:3]} {n[3:6]} {n[6:]}",
        f"+34 {n[:3]} {n[3:5]} {n[5:7]} {n[7:]}",
        f"{n[:3]}-{n[3:5]}-{n[5:7]}-{n[7:]}",
    )[form]
    assert planted(before, value, after)


ANY_NAME = st.from_regex(r"[A-ZÁÉÍÓÚÑ][a-záéíóúñ]{2,9}", fullmatch=True).filter(
    lambda w: w.lower() not in listed("stops_es")
)


@given(
    st.sampled_from(["Dr. ", "Dra. ", "Dña. ", "Nombre: ", "Apellidos: ", "Médico: ", "Remitido por: "]),
    ANY_NAME,
    ANY_NAME,
)
def test_any_name_after_a_title_or_a_label_is_found(title: str, first: str, second: str) -> None:
    assert planted(title, f"{first} {second}", ".")


LISTED = st.sampled_from(sorted(listed("given_es") - listed("ordinary_es") - listed("stops_es")))
FAMILY = st.sampled_from(sorted(listed("family_es") - listed("ordinary_es") - listed("stops_es")))


@given(st.sampled_from(["visto por ", "hoy ", "con "]), LISTED, FAMILY, FAMILY, AFTER)
def test_a_listed_name_with_two_family_names_is_found(
    before: str, first: str, second: str, third: str, after: str
) -> None:
    assert planted(before, f"{first.title()} {second.title()} {third.title()}", after)


@pytest.mark.parametrize("name", OWN)
def test_each_is_asked_for_spanish_alone(name: str) -> None:
    assert name in recognisers("es")
    assert name in recognisers("")
    assert name not in recognisers("en")


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_any_text_gives_spans_in_order_inside_it(text: str) -> None:
    end = 0
    for span in find(text, CONTEXT):
        assert end <= span.start < span.end <= len(text)
        end = span.end


CUES = [
    "Dr",
    "D",
    "Nombre",
    "Médico",
    "paciente",
    "hija",
    "de",
    "la",
    "C/",
    "28013",
    "2004",
    "en",
    "años",
    "Hospital",
    "enfermera",
    "por",
]
PIECES = st.sampled_from(
    [
        word.title()
        for name in ("given_es", "family_es", "places_es")
        for word in sorted(listed(name))
        for word in word.split()
    ]
) | st.sampled_from(CUES)


@given(
    st.lists(
        st.tuples(PIECES, st.sampled_from([" ", ". ", ": ", ", ", "\n", "-", " (", "/", ""])), max_size=12
    )
)
def test_any_words_of_our_lists_give_spans_in_order_inside_the_text(pieces: list[tuple[str, str]]) -> None:
    text = "".join(piece for pair in pieces for piece in pair)
    for cut in (text, text.rstrip(" .:,\n-(/")):
        end = 0
        for span in find(cut, CONTEXT):
            assert end <= span.start < span.end <= len(cut)
            end = span.end


@pytest.mark.parametrize("place", sorted(place for place in listed("places_es") if " " in place))
def test_a_text_may_end_inside_a_place(place: str) -> None:
    words = place.title().split()
    for length in range(1, len(words) + 1):
        find("en " + " ".join(words[:length]) + " ", CONTEXT)
