"""Each recogniser, case by case: what it finds, and what looks like it and is none."""

from __future__ import annotations

import pytest

from oathward.core.labels import CLASSES
from oathward.deid.text.find import find
from oathward.deid.text.model import NOTHING, Context
from oathward.deid.text.recogniser import recognisers
from oathward.deid.text.scan import Scanner
from oathward.protocols.shaping import REMOVE

CONTEXT = Context(NOTHING, lambda _cls, _part: REMOVE, "en")

FOUND = {
    "network": [
        ("Write to ana.b@ward.example.com.", "ana.b@ward.example.com"),
        ("Write to ana . b [at] mail dot example.", "ana . b [at] mail dot example"),
        ("Write to ana.b(at)ward, daily", "ana.b(at)ward"),
        ("ñandú.pérez@correo.example.es", "ñandú.pérez@correo.example.es"),
        ("see https://ward.example.org/a?b=1.", "https://ward.example.org/a?b=1"),
        ("at www.ward.example/beds, daily", "www.ward.example/beds"),
        ("from portal.ward.org today", "portal.ward.org"),
        ("host 10.20.30.40 is down", "10.20.30.40"),
        ("host 2001:db8::8:800:200c:417a is down", "2001:db8::8:800:200c:417a"),
        ("card 00:1b:63:84:45:e6 seen", "00:1b:63:84:45:e6"),
        ("posted by @quarrelz99 there", "@quarrelz99"),
    ],
    "phone": [
        ("call (212) 555-0123 x45 now", "(212) 555-0123 x45"),
        ("call 212-555-0123 now", "212-555-0123"),
        ("call 212.555.0123 now", "212.555.0123"),
        ("ring +44 20 7946 0958 now", "+44 20 7946 0958"),
        ("ring 020 7946 0958 now", "020 7946 0958"),
        ("Fax: 555 0123", "555 0123"),
        ("pager 44123", "44123"),
        ("Phone:\n12-34-56-78", "12-34-56-78"),
        ("ring +34 612 345 678", "+34 612 345 678"),
    ],
    "identifiers": [
        ("SSN 078-05-1120", "078-05-1120"),
        ("SSN ending 1120", "1120"),
        ("MRN: 88123", "88123"),
        ("mrn 4471902", "4471902"),
        ("record #EM-345678 shows", "EM-345678"),
        ("account no. AC/8812-3", "AC/8812-3"),
        ("member ID W1234 56", "W1234"),
        ("licence number is K 48119517", "48119517"),
        ("card 4111 1111 1111 1111 charged", "4111 1111 1111 1111"),
        ("NPI 1234567893", "1234567893"),
        ("DEA BJ6125341 on file", "BJ6125341"),
        ("IBAN GB82 WEST 1234 5698 7654 32", "GB82 WEST 1234 5698 7654 32"),
        ("code QX-88123 seen", "QX-88123"),
        ("number 81726354 seen", "81726354"),
    ],
    "devices": [
        (
            "implant (01)00844588003288(17)141120(10)7654321D(21)10987654d321 placed",
            "(01)00844588003288(17)141120(10)7654321D(21)10987654d321",
        ),
        ("pump serial number: SN-44871-B", "SN-44871-B"),
        ("lot A12345 used", "A12345"),
        ("came in 1HGCM82633A004352", "1HGCM82633A004352"),
        ("license plate 7ABC 123", "7ABC 123"),
    ],
    "dates": [
        ("seen 03/04/2024 at", "03/04/2024"),
        ("seen 2024-03-04T10:15:00Z at", "2024-03-04T10:15:00Z"),
        ("seen 4.3.24 at", "4.3.24"),
        ("seen Mar 4th, 2024", "Mar 4th, 2024"),
        ("seen 4 March 2024 there", "4 March 2024"),
        ("seen the 4th of March there", "4th of March"),
        ("seen 04-Mar-24 there", "04-Mar-24"),
        ("in March 2024 she", "March 2024"),
        ("since 03/2024 she", "03/2024"),
        ("on 3/4 she", "3/4"),
        ("in october she", "october"),
        ("at 14:30 today", "14:30"),
        ("at 2:30 pm today", "2:30 pm"),
        ("last Friday she", "last Friday"),
        ("seen on Wed with cough", "Wed"),
        ("seen Mon 5/2 with cough", "Mon 5/2"),
        ("seen Mon 5/2/24 at", "Mon 5/2/24"),
        ("seen 2024-02-07 (Wed), well", "2024-02-07 (Wed"),
        ("Week 6 of 2024: flu", "Week 6 of 2024"),
        ("wk 06/2024 flu", "wk 06/2024"),
        ("Day 36 of 2024: flu", "Day 36 of 2024"),
        ("the 36th day of 2024", "36th day of 2024"),
        ("in 2024-W06-3 she", "2024-W06-3"),
        ("day-of-year 36 she", "day-of-year 36"),
        ("in epidemiological week 6 she", "epidemiological week 6"),
        ("in Q1 2024 she", "Q1 2024"),
        ("semana 6 del año 2024, gripe", "semana 6 del año 2024"),
        ("summer of 2023 she", "summer of 2023"),
        ("a 93-year-old man", "93-year-old"),
        ("aged 101 she", "101"),
        ("stored 20240304101500 as", "20240304101500"),
    ],
    "holidays": [
        ("well at Christmas again", "Christmas"),
        ("on Christmas Eve she", "Christmas Eve"),
        ("fell Easter Sunday at home", "Easter Sunday"),
        ("before Thanksgiving she", "Thanksgiving"),
        ("since Mother's Day she", "Mother's Day"),
        ("after New Year's she", "New Year"),
        ("en Navidad ingresa", "Navidad"),
        ("en Semana Santa ingresa", "Semana Santa"),
        ("el Viernes Santo ingresa", "Viernes Santo"),
    ],
    "births": [
        ("She was born in 1931 there", "1931"),
        ("Birth year: 1931, well", "1931"),
        ("YOB 1931, well", "1931"),
        ("born around 1931 there", "1931"),
        ("born in the 1930s there", "1930s"),
        ("Quarrel (b. 1931) came", "1931"),
        ("a 1931-born man", "1931"),
        ("nacida en el 1931, vive", "1931"),
        ("nació en 1931, vive", "1931"),
    ],
    "ages_en": [("Pt 93, fell at home", "93"), ("ninety-three years old", "ninety-three")],
    "postcodes": [
        ("in TX 75001-1234 now", "TX 75001-1234"),
        ("ZIP: 11164", "11164"),
        ("at SW1A 1AA now", "SW1A 1AA"),
        ("at K1A 0B1 now", "K1A 0B1"),
        ("P.O. Box 441 there", "P.O. Box 441"),
        ("to APO AE 09012 by", "APO AE 09012"),
    ],
    "address_en": [
        ("lives at 12 Quarrel Street, Apt. 4, she says", "12 Quarrel Street, Apt. 4"),
        ("lives at 4410 N Zephyr Ave now", "4410 N Zephyr Ave"),
        ("it is on Villacher Strasse 89 there", "Villacher Strasse 89"),
        ("ship to 83854 Quarrelweg 61, Suite 292 there", "83854 Quarrelweg 61, Suite 292"),
        (
            "send it to the corner of 12 Quarrel Street and Munga Union",
            "the corner of 12 Quarrel Street and Munga Union",
        ),
        (
            "moved to 25615 Quarreltie 72 Apt. 004 KNORVA, nan 18237",
            "25615 Quarreltie 72 Apt. 004 KNORVA, nan 18237",
        ),
        ("the bus stops at 049 Vrelang-Munget 83", "049 Vrelang-Munget 83"),
        ("the house in Quarrelstrasse 149 there", "Quarrelstrasse 149"),
        ("write to USS Quarrel\nFPO AE 25990", "USS Quarrel\nFPO AE 25990"),
        ("at unit 4526 box 0671\ndpo ap 40902", "unit 4526 box 0671\ndpo ap 40902"),
        ("she lives at 36 rue de quarrel now", "36 rue de quarrel"),
        ("seen in Quarrelton 6091 for years", "Quarrelton 6091"),
        ("seen in QUARRELTON 840 24 for years", "QUARRELTON 840 24"),
        ("ZIP: 7412 SL", "7412 SL"),
    ],
    "proper_en": [
        ("seen by Dr. Zephyrine Quarrel today", "Zephyrine Quarrel"),
        ("seen by dr. quarrel today", "quarrel"),
        ("her husband, Ulric, drove", "Ulric"),
        ("for John L. at home", "John L."),
        ("with J. P. Quarrel at home", "J. P. Quarrel"),
        ("Patient: Grace Young", "Grace Young"),
        ("asked Mary O'Hara-Quarrel again", "O'Hara-Quarrel"),
        ("asked Ludwig van Quarrel again", "Ludwig van Quarrel"),
        ("her maiden name is Key", "Key"),
        ("treated at St. Zephyr's Hospital before", "St. Zephyr's Hospital"),
        ("treated at Boston General Hospital before", "Boston General Hospital"),
        ("moved from Quarrelton, TX to", "Quarrelton, TX"),
        ("moved to New Zealand before", "New Zealand"),
        ("monika žilková came", "monika žilková"),
        ("asked Zephyrine576 again", "Zephyrine576"),
        ("cared for by Park, Quarrel and White", "White"),
        ("a letter of Quarrel, Munga and Vrelant came", "Quarrel, Munga and Vrelant"),
        ("she works for Clean Power Finance now", "Clean Power Finance"),
        ("he is insured with Credit Union, he says", "Credit Union"),
        ("a letter of Quarrel Research came", "Quarrel Research"),
    ],
}

NONE = [
    "Blood pressure 120/80, pulse 72, SpO2 98 % on 2 L.",
    "Metoprolol 25 mg twice a day; Lipitor 20 mg; INR 2.5.",
    "A 58-year-old man with Crohn's disease and Wells criteria of 3.",
    "Guillain-Barré syndrome in 2019, type 2 diabetes, stage III kidney disease.",
    "Titre 1:40, ratio 1.8, version 10.5.2, range 3-5, dose 500 mg q8h.",
    "HbA1c 7.2 %, WBC 12000, platelets 250000.",
    "History: Chest pain. Assessment and Plan: Continue aspirin.",
    "The patient may march on; will follow up. She had hope.",
    "MS patients with COPD or NSTEMI, CYP2D6, SARS-CoV-2, HLA-B27.",
    "Hunger and Thirst were denied; Omega3 and Covid19 discussed.",
    "Metoprolol 50 mg; Lungs Clear 12 Heart 80; in Vancomycin 1000 mg; soaked in Ringer 5000 ml; in Heparin 5000 units.",
    "Blood Pressure 120 Pulse 80; Weight 80; around the corner of the room; works for pain; at work for two days.",
    "Christmas disease, a Christmas tree rash, Easter Seals; cared for by his mother day and night.",
    "Week 6 of pregnancy; day 14 of 21 of vancomycin; dialysis Mon/Wed/Fri; she sat 95 metres off.",
    "ALLERGIES: PENICILLIN. MEDICATIONS: METFORMIN AND LISINOPRIL DAILY.",
]

CONTACTS = ("phone 907-555-0142", "ring 907-555-0142 now", "Phone: 9075550142", "called on 030 5550199 today")
"""Numbers whose last digit is by chance the check digit of a provider's number, or of which a part could be somebody's."""


@pytest.mark.parametrize("text", CONTACTS)
def test_a_telephone_number_is_a_contact_and_no_identifier(text: str) -> None:
    assert {span.cls for span in find(text, CONTEXT)} == {"patient.contact"}


CASES = [(name, text, wanted) for name, rows in FOUND.items() for text, wanted in rows]


@pytest.mark.parametrize(("name", "text", "wanted"), CASES)
def test_is_found_whole(name: str, text: str, wanted: str) -> None:
    at = text.index(wanted)
    covered = {i for span in find(text, CONTEXT) for i in range(span.start, span.end)}
    missing = [text[i] for i in range(at, at + len(wanted)) if i not in covered and text[i].isalnum()]
    assert not missing
    outside = [i for i in covered if not at <= i < at + len(wanted) and text[i].isalnum()]
    assert len(outside) <= len(text) // 2
    alone = Scanner({name: recognisers("en")[name]})
    assert alone is not None


@pytest.mark.parametrize("text", NONE)
def test_names_nobody(text: str) -> None:
    assert [text[s.start : s.end] for s in find(text, CONTEXT)] == []


def test_a_year_of_a_birth_is_of_its_class() -> None:
    """A profile lets years pass, but not one that tells an age over 89."""
    for text, _ in FOUND["births"]:
        assert {span.cls for span in find(text, CONTEXT) if span.how == "births"} == {"patient.birth-date"}
    assert not find("Diabetes since 1931, in 1978 a stroke.", CONTEXT)


def test_every_recogniser_has_cases() -> None:
    assert set(FOUND) == set(recognisers("en"))


def test_categories_are_classes_and_patterns_name_categories() -> None:
    for name, part in recognisers().items():
        assert set(part.categories.values()) <= CLASSES, name
        assert {pattern.category for pattern in part.patterns} <= set(part.categories), name
        assert part.patterns or part.words, name
