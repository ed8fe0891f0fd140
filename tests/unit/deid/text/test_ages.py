"""Ages over 89 as a bare number: found beside whom they are of, and no result is taken for one. Every person here is made up."""

from __future__ import annotations

import pytest

from oathward.deid.text import ages
from oathward.deid.text import find as finding
from oathward.deid.text.find import find
from oathward.deid.text.model import NOTHING, Context, Known
from oathward.protocols.shaping import REMOVE

AGES = {
    "en": [
        ("Mrs Quarrel, 93, was seen", "93"),
        ("John Smith (93) lives alone", "93"),
        ("Mr. Vrelant 97, fell at home", "97"),
        ("93 F with heart failure", "93"),
        ("93F admitted", "93"),
        ("Pt is a 94M s/p fall", "94"),
        ("pt 93", "93"),
        ("Pt 93, fell at home", "93"),
        ("patient is 101 and frail", "101"),
        ("seen: a 93 y.o. man", "93"),
        ("age 93y, male", "93"),
        ("093Y", "093"),
        ("she is now 93.", "93"),
        ("she's 93.", "93"),
        ("turned 93; he walks", "93"),
        ("F/93 and M/95", "95"),
        ("93/M", "93"),
        ("a frail 96 F with cough", "96"),
        ("Female, 93, from home", "93"),
        ("a 93 female with cough", "93"),
        ("Quarrel (F 93) came", "93"),
        ("her mother, 95, died", "95"),
        ("father died at 91.", "91"),
        ("on her 93rd birthday", "93"),
        ("turned 97 in May", "97"),
        ("in her 93rd year", "93"),
        ("on her ninety-third birthday", "ninety-third"),
        ("he turned ninety-seven", "ninety-seven"),
        ("a nonagenarian of 91.", "91"),
        ("ninety-three years old", "ninety-three"),
        ("in her late nineties", "nineties"),
    ],
    "es": [
        ("anciana de 93 que acude", "93"),
        ("mujer de 93 a con fiebre", "93"),
        ("93 a, diabética", "93"),
        ("Doña María, 93 años, vive sola", "93"),
        ("Sra. Vrelant, 93, acude", "93"),
        ("varón 93a con disnea", "93"),
        ("madre fallecida a los 93.", "93"),
        ("M/93", "93"),
        ("cumplió 93.", "93"),
        ("cumplió 97 en mayo", "97"),
        ("en su 93 cumpleaños", "93"),
        ("nonagenaria de 91.", "91"),
    ],
}
MEASURED = {
    "en": [
        "Temp 101 F with chills; T 98.6 F, HR 93, RR 18. 98 F. 96 F, skin cool; fever of 101 F, chills",
        "BP 120/93, pulse 95. SpO2 93% on RA; sat 95 on room air; pt 93% on 2 L; pt 93/60 and 95 mmHg",
        "PT 93, INR 1.2. INR 2.93. Sodium 93. Glucose 93, 101, 120. Lactate, 95, high",
        "patient 95 kg, 100 cm; she was 93 on room air; his heart rate is 93.",
        "walked 100 m; 100M cells; Furosemide, 100, twice; turned 90 degrees; patient 100 mg given",
        "Ferritin 93 female 11-307, Hb 95 male 130-170; ward 101 female; pulse M 95, F 101; CD4 93, VL 100",
        "He was 100 percent well. Dr. Quarrel, 100 mg given. Nurse Quarrel, 95 minutes later; 93 patients",
        "turned 90 degrees in bed; the ward is in its 93rd year; the 95th percentile; patient 100 in bed 4; Na 95 in March",
        "Mrs Quarrel is 88. pt 89, F/72, a 74 F with cough",
    ],
    "es": [
        "paciente de 93 kg; mujer de 95 kg y 100 cm; FC de 93 a 100 lpm; de 93 a 95 %; sube de 93 a 120.",
        "Factor V 95, H 100; 93 mujeres; Hb 95 mujer 110-150; FC 100, F 93",
        "TA 120/93, FC 95. hace 93 años; hemoglobina de 93. a los 93 minutos, cede",
    ],
}


def told(text: str, language: str, known: Known = NOTHING) -> list[str]:
    context = Context(known, lambda _cls, _part: REMOVE, language)
    return [text[s.start : s.end] for s in find(text, context) if s.cls == "patient.demographic"]


@pytest.mark.parametrize(
    ("language", "text", "age"), [(name, *row) for name, rows in AGES.items() for row in rows]
)
def test_an_age_over_89_is_found_whatever_tells_it(language: str, text: str, age: str) -> None:
    assert told(text, language)[-1:] == [age]
    assert age in told(text, "")


@pytest.mark.parametrize(
    ("language", "text"), [(name, row) for name, rows in MEASURED.items() for row in rows]
)
def test_what_is_measured_is_no_age(language: str, text: str) -> None:
    assert told(text, language) == []


def test_an_age_stands_beside_a_known_name_too() -> None:
    known = Known((("patient.name", "", "Vrelquist"),))
    text = "Saw Vrelquist, 93, today; Lactate, 95, high."
    assert told(text, "en", known) == ["93"]
    assert told(text, "en") == []


def test_reverse_an_age_is_found_by_the_name_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told("Mrs Quarrel, 93, was seen", "en") == ["93"]
    monkeypatch.setattr(finding, "beside_names", lambda _words, _spans: ())
    assert told("Mrs Quarrel, 93, was seen", "en") == []


def test_reverse_what_ends_the_figure_keeps_results(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told("patient 95 kg", "en") == []
    monkeypatch.setattr(ages, "_ended", lambda _words, _i: True)
    assert told("patient 95 kg", "en") == ["95"]
