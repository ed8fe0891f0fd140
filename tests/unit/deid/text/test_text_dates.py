"""Dates of texts are written in the form they stood in, and never so that they could be read in two ways."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from oathward.deid.action import Seeds
from oathward.deid.actions import shift
from oathward.deid.text.clean import clean
from oathward.deid.text.dates import basic, like
from oathward.deid.text.model import NOTHING, Context
from oathward.protocols.shaping import REMOVE, Ruling

DAYS = st.dates(date(1910, 1, 1), date(2099, 12, 31))

FORMS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%B %d, %Y", "%A, %d %B %Y", "%d %b %Y", "%d-%b-%Y", "%d%b%Y", "%b. %d, %Y",
)  # fmt: skip


@pytest.mark.parametrize(
    ("found", "moved", "language", "written"),
    [
        ("17 November 1951", "19520508", "", "8 May 1952"),
        ("November 17th, 1951", "19520502", "", "May 2nd, 1952"),
        ("the 4th of March, 2024", "20240911", "", "the 11th of September, 2024"),
        ("Monday, 4 March 2024", "20240907", "", "Saturday, 7 September 2024"),
        ("Wed 2024-02-07", "20241015", "", "Tue 2024-10-15"),
        ("WED. 02/13/2024", "20240818", "", "SUN. 08/18/2024"),
        ("2024-02-07 (Wed", "20241015", "", "2024-10-15 (Tue"),
        ("Wednesday 2024-02-07", "2024", "", "2024"),
        ("mié 13/02/2024", "20240818", "", "dom 18/08/2024"),
        ("Mar 2024", "202409", "", "Sep 2024"),
        ("Tue, Sept 3, 2024", "20250309", "", "Sun, Mar 9, 2025"),
        ("04-MAR-2024", "20240907", "", "07-SEP-2024"),
        ("4 march 2024", "20240907", "", "7 september 2024"),
        ("11/17/1951", "19520522", "", "05/22/1952"),
        ("17/11/1951", "19520522", "", "22/05/1952"),
        ("17.11.1951", "19520522", "", "22.05.1952"),
        ("11/17/1951", "19520506", "", "1952-05-06"),
        ("4/4/2024", "20240522", "", "2024-05-22"),
        ("2024-03-04", "20240907", "", "2024-09-07"),
        ("2024/3/4", "20241107", "", "2024/11/7"),
        ("20240304", "20240907", "", "20240907"),
        ("20240304101500", "20240907", "", "20240907"),
        ("2024-03-04T10:15:00Z", "20240907", "", "2024-09-07"),
        ("March 4, 2024 at 10:15", "20240907", "", "September 7, 2024"),
        ("03/2024", "202409", "", "09/2024"),
        ("2024-03", "202409", "", "2024-09"),
        ("March 2024", "202409", "", "September 2024"),
        ("early March 2024", "202409", "", "2024-09"),
        ("4 de marzo de 2024", "20240907", "", "7 de septiembre de 2024"),
        ("lunes 4 de marzo de 2024", "20240907", "", "sábado 7 de septiembre de 2024"),
        ("4-nov-2024", "20240107", "es", "7-ene-2024"),
        ("4-nov-2024", "20240107", "en", "7-jan-2024"),
        ("el 1º de mayo de 2001", "20011104", "es", "el 4 de noviembre de 2001"),
        ("marzo de 2024", "202409", "", "septiembre de 2024"),
        ("17 November 1951", "1951", "", "1951"),
        ("17 November 1951", "195111", "", "1951-11"),
        ("17 November 1951", "1950s", "", "1950s"),
    ],
)
def test_a_date_is_written_in_the_form_of_another(
    found: str, moved: str, language: str, written: str
) -> None:
    assert like(found, moved, language) == written


def without_noughts(text: str, form: str) -> str:
    """In prose nobody sees whether a day of two figures would have one before it."""
    return re.sub(r"\b0(\d)\b", r"\1", text) if " " in form else text


@pytest.mark.parametrize("form", FORMS)
@given(day=DAYS, to=DAYS)
def test_what_is_written_is_the_day_and_its_own_form(form: str, day: date, to: date) -> None:
    """The C locale's names are English, as the forms are. Of ``May`` alone nobody can tell whether it is short."""
    assume("%b" not in form or "-" in form or day.month != 5)
    text = day.strftime(form)
    assert basic(text) == f"{day:%Y%m%d}"
    written = like(text, f"{to:%Y%m%d}")
    assert basic(written) == f"{to:%Y%m%d}"
    assert without_noughts(written, form) == without_noughts(to.strftime(form), form)


@given(day=DAYS, to=DAYS, form=st.sampled_from(["%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m-%d-%Y"]))
def test_figures_that_are_written_can_be_read_in_one_way(day: date, to: date, form: str) -> None:
    text = day.strftime(form)
    if basic(text):
        assert basic(like(text, f"{to:%Y%m%d}")) == f"{to:%Y%m%d}"


def test_a_shifted_date_stands_in_prose_as_it_stood() -> None:
    seeds = Seeds(b"s" * 32, b"d" * 32, "1", year=2026, days=187)

    def decide(cls: str, _part: str) -> Ruling:
        return shift.ACTION.rule(cls, "", {}) if cls == "patient.time" else REMOVE

    said = "Admitted on 17 November 1951, again 2001-03-04, left \uff11\uff12 May 2001; seen 03/04/2001."
    done = clean(said, Context(NOTHING, decide, "en"), seeds).text
    days = [
        f"{date(1951, 11, 17) + timedelta(187):%-d %B %Y}",
        f"{date(2001, 3, 4) + timedelta(187)}",
        f"{date(2001, 5, 12) + timedelta(187):%-d %B %Y}",
    ]
    assert done == f"Admitted on {days[0]}, again {days[1]}, left {days[2]}; seen [date]."


def test_a_weekday_beside_a_date_moves_with_it_or_goes() -> None:
    """True weekdays beside moved dates would say by how many days, but for whole weeks."""
    seeds = Seeds(b"s" * 32, b"d" * 32, "1", year=2026, days=187)

    def decide(cls: str, _part: str) -> Ruling:
        return shift.ACTION.rule(cls, "", {}) if cls == "patient.time" else REMOVE

    said = "Wed 2024-02-07; Mon 5/2/24; Thurs, the 8th of February 2024 and 13/02/2024 (Tue), mié 07/02/2024."
    done = clean(said, Context(NOTHING, decide), seeds).text
    assert done == "Mon 2024-08-12; [date]; Tuesday, the 13th of August 2024 and 18/08/2024 (Sun), [date]."
