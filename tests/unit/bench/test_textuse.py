"""What the bench asks of drugs and doses: what went is told, and only that."""

from __future__ import annotations

import pytest
from bench.textuse import left, mentions

TEXT = "Metformin 500 mg twice a day; heparina 0,5 ml cada 8 horas; pulse 72, 120/80."


def test_a_text_that_is_as_it_was_has_lost_nothing() -> None:
    assert {kind: (stays, of) for kind, (stays, of, _) in left(TEXT, TEXT).items()} == {
        "drug": (2, 2),
        "dose": (2, 2),
        "course": (2, 2),
    }


@pytest.mark.parametrize(
    ("changed", "kind", "went"),
    [
        (TEXT.replace("Metformin", "[name]"), "drug", "metformin"),
        (TEXT.replace("500 mg", "[id]"), "dose", "500 mg"),
        (TEXT.replace("500 mg", "50 mg"), "dose", "500 mg"),
        (TEXT.replace("cada 8 horas", "[date]"), "course", "cada 8 horas"),
    ],
)
def test_what_went_or_was_changed_is_told(changed: str, kind: str, went: str) -> None:
    stays, of, gone = left(TEXT, changed)[kind]
    assert (stays, of, dict(gone)) == (1, 2, {went: 1})


def test_results_are_no_doses() -> None:
    assert not mentions("pulse 72, 120/80, glucose 95 mg/dlx, room 12, metforminish")
