"""The report travels: it says what was held, and nothing of what our own people could do about it."""

from oathward.core.meanings_files import of_file
from oathward.deidentifying.page import page

TOLD = {
    "job": "J", "program": "oathward", "profile": "research", "project": "p", "begun": "2026-01-01T00:00:00", "ended": "2026-01-01T00:01:00",
    "files": 2, "written": 1, "held": 1, "partly_held": 0, "patients": 2, "resumed": 0, "formats": {}, "removed": {}, "changed": {},
    "authorities": {"undeclared": 1, "systems": 1, "patients": 1}, "reasons": {"deid.pixels-held": 1},
    "residue": {"searched_for": 0, "taken_back": {}}, "held_files": [], "held_files_not_listed": 0,
}  # fmt: skip


def test_no_advice_for_our_own_people_stands_in_it():
    text = page(TOLD)
    said = of_file("deid.pixels-held")
    assert "could not be read, cleaned or shown to be clean" in text
    assert "pip install" in said.remedy
    assert "pip install" not in text
    assert "What to do" not in text


def test_it_says_that_patients_may_be_two():
    assert "1 patient has a number under a FHIR system that the settings do not declare" in page(TOLD)
    assert "do not declare" not in page(TOLD | {"authorities": {}})
