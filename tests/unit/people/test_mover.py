"""A mover loses the old unit's patients at once: who cares for whom is asked of the newest record."""

from __future__ import annotations

import pytest
from tests.unit.people.conftest import DAY, NOW, SITE, People

from oathward.core.db import read, write
from oathward.vault import care, care_rows
from oathward.vault.care_rows import Stamps, Stay

STAMPS = Stamps(b"k" * 32, SITE)
ASKED = care.Asked(STAMPS, 30 * DAY)
LIST = "number,name,units,staff_ids\n17,Anna Berg,ICU,HOSP|4711\n"


def stay(subject: str, unit: str, attending: tuple[str, ...] = ()) -> Stay:
    return Stay(subject, b"e", unit, attending, NOW - DAY, None, NOW, NOW, NOW, NOW, NOW, "m")


def patients(people: People) -> set[str]:
    anna = people.by_number("17")
    with read(people.engine) as db:
        return {subject for subject, _ in care.mine(db, SITE, anna, NOW, ASKED)}


@pytest.fixture
def ward(people: People) -> People:
    with write(people.engine) as db:
        for one in (stay("icu-1", "ICU"), stay("ward-1", "Ward 3"), stay("ward-2", "Ward 3", ("HOSP|4711",))):
            care_rows.put_stay(db, SITE, one, STAMPS)
    people.bring(LIST)
    return people


@pytest.mark.parametrize(
    ("row", "cares_for"),
    [
        ("17,Anna Berg,ICU,HOSP|4711", {"icu-1", "ward-2"}),
        ("17,Anna Berg,Ward 3,HOSP|4711", {"ward-1", "ward-2"}),
        ("17,Anna Berg,Ward 3,", {"ward-1", "ward-2"}),
        ("17,Anna Berg,,HOSP|4711", {"ward-2"}),
        ("17,Anna Berg,,", set()),
    ],
)
def test_units_and_staff_numbers_of_the_newest_record_count(
    ward: People, row: str, cares_for: set[str]
) -> None:
    assert patients(ward) == {"icu-1", "ward-2"}
    ward.bring(f"number,name,units,staff_ids\n{row}\n")
    assert patients(ward) == cares_for
