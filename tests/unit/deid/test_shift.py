"""Dates move by the subject's days: the same in every format, precision and time of day kept, no age over 89 shown."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.shaped import SEEDS, applied

from oathward.core.errors import DeidentificationError
from oathward.deid.action import DAYS_LEAST, DAYS_MOST, Seeds, days_of
from oathward.deid.actions import shift
from oathward.deid.actions.shift import shifted
from oathward.protocols.hl7v2.times import time_us

YEAR = 2026
DAYS = st.integers(-DAYS_MOST, DAYS_MOST).filter(lambda days: abs(days) >= DAYS_LEAST)
MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(2026, 12, 31)).map(  # noqa: DTZ001  # a zone is given below
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)
ZONES = st.integers(-12 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))


def offset(at: datetime, mark: str) -> str:
    minutes = int((at.utcoffset() or timedelta()).total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{mark}{abs(minutes) % 60:02}"


def as_hl7(at: datetime) -> str:
    return at.strftime("%Y%m%d%H%M%S") + f".{at.microsecond // 1000:03}" + offset(at, "")


def as_fhir(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S") + f".{at.microsecond // 1000:03}" + offset(at, ":")


@pytest.mark.parametrize(
    ("value", "moved"),
    [
        # HL7 v2 DT, DTM and TS, of every precision; DICOM DA and DT
        ("20260301", "20260131"),
        ("2026030112", "2026013112"),
        ("202603011230", "202601311230"),
        ("20260301123045", "20260131123045"),
        ("20260301123045.1234", "20260131123045.1234"),
        ("20260301123045.1234+0100", "20260131113045.1234+0000"),
        ("20260301-0500", "20260131+0000"),
        ("2026030123+0330", "2026013119+0000"),
        ("20260301003045+0100", "20260130233045+0000"),
        ("202603", "202602"),
        ("2026", "2026"),
        ("2026.03.01", "2026.01.31"),
        ("20260301 ", "20260131"),
        # FHIR date, dateTime and instant
        ("2026-03-01", "2026-01-31"),
        ("2026-03", "2026-02"),
        ("2026-03-01T12:30:45Z", "2026-01-31T12:30:45Z"),
        ("2026-03-01T23:59:60.123456+14:00", "2026-01-31T09:59:60.123456Z"),
        # a time of day is none of a day
        ("12:30:45", "12:30:45"),
        # no dates
        ("20260230", ""),
        ("20261301", ""),
        ("2026-02-30", ""),
        ("202603012460", ""),
        ("2026030125", ""),
        ("2026-0317", ""),
        ("202603-0317", ""),
        ("20260301+0317", ""),
        ("20260301123045.1234567890", ""),
        ("03/01/2026", ""),
        ("0000", ""),
        ("00010101", "00001202"),
        ("1 March 2026", ""),
        ("SMITH", ""),
        ("", ""),
    ],
)
def test_every_form_moves_and_keeps_its_precision(value: str, moved: str):
    expected = "" if moved == "00001202" else moved  # before the calendar
    assert shifted(value, -29, YEAR if value[:4] >= "1000" else 50) == expected


@given(at=MOMENTS, zone=ZONES, other=ZONES, days=DAYS)
def test_one_instant_stays_one_instant_however_it_is_written(
    at: datetime, zone: timezone, other: timezone, days: int
):
    one = at.replace(tzinfo=zone)
    another = one.astimezone(other)
    moved = [as_hl7(one), as_fhir(one), as_hl7(another), as_fhir(another)]
    minutes = int((other.utcoffset(None) or timedelta()).total_seconds()) // 60
    hl7, fhir, hl7_elsewhere, fhir_elsewhere = (shifted(value, days, YEAR, minutes) for value in moved)
    expected = one + timedelta(days=days)
    assert datetime.fromisoformat(fhir) == datetime.fromisoformat(fhir_elsewhere) == expected
    assert time_us(hl7.encode()) == time_us(hl7_elsewhere.encode()) or expected < datetime(
        1970, 1, 2, tzinfo=UTC
    )
    assert hl7 == hl7_elsewhere == as_hl7(another + timedelta(days=days))
    # the site's day and time of day, in any format
    assert shifted(another.strftime("%Y%m%d"), days, YEAR) == hl7[:8] == fhir[:10].replace("-", "")
    assert hl7[8:] == as_hl7(another)[8:]


def test_no_offset_says_when_summer_time_began():
    before, after = (
        shifted("2024-03-30T10:00:00+01:00", -361, YEAR, 60),
        shifted("2024-03-31T10:00:00+02:00", -361, YEAR, 60),
    )
    assert (before, after) == ("2023-04-04T10:00:00+01:00", "2023-04-05T09:00:00+01:00")


@given(first=st.dates(date(1950, 1, 1), date(2026, 1, 1)), between=st.integers(0, 10_000), days=DAYS)
def test_intervals_stay(first: date, between: int, days: int):
    last = first + timedelta(days=between)
    moved = [date.fromisoformat(shifted(one.isoformat(), days, 2030)) for one in (first, last)]
    assert moved[1] - moved[0] == last - first
    assert moved[0] != first


@given(
    value=st.from_regex(r"[0-9]{4}(-?(0[1-9]|1[0-2])(-?(0[1-9]|1[0-9]|2[0-8]))?)?", fullmatch=True), days=DAYS
)
def test_no_year_that_shows_an_age_over_89_passes(value: str, days: int):
    made = shifted(value, days, YEAR)
    assert made == "" or YEAR - int(made[:4]) <= 90
    if YEAR - int(value[:4]) >= 90 and made:
        assert made[:4] == "1936"
        assert made[4:].replace("-", "") in ("", "01", "0101")
        assert len(made) == len(value)


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ("19250317", "19360101"),
        ("1925-03-17", "1936-01-01"),
        ("192503171230", "193601010000"),
        ("1925-03-17T12:30:45.5-05:00", "1936-01-01T00:00:00.0-00:00"),
        ("1925", "1936"),
        ("19370110", "19360101"),  # moved, it would say so
        ("19370401", "19370201"),
    ],
)
def test_who_may_be_90_is_in_one_category(value: str, made: str):
    assert shifted(value, -59, YEAR) == made


def test_without_the_category_a_birth_of_long_ago_would_pass(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shift, "AGE_YEARS_MAX", 1_000)
    assert shifted("19250317", -59, YEAR) == "19250117"


def test_without_the_days_or_the_year_nothing_passes():
    with pytest.raises(DeidentificationError) as caught:
        applied("shift", "20260301", replace(SEEDS, days=0), "patient.time")
    assert "2026" not in str(caught.value)
    assert shifted("20260301", 40, 0) == ""


def test_the_action_takes_days_and_year_from_the_seeds():
    seeds = Seeds(b"", b"", "X", 2026, days=-59)
    assert applied("shift", "20260301", seeds, "patient.time") == "20260101"
    assert applied("shift", "19250301", seeds, "patient.birth-date") == "19360101"


@pytest.mark.parametrize(
    ("value", "left"),
    [("2026", "2026"), ("201103", "201103"), ("20:11", "20:11"), ("2460", ""), ("SMITH", "")],
)
def test_a_time_of_day_that_looks_like_a_year_stays(value: str, left: str):
    assert applied("shift", value, Seeds(b"", b"", "X", 2026, days=200), "patient.time", "time") == left


@given(st.binary(min_size=32, max_size=32))
def test_days_are_never_few_or_many(seed: bytes):
    assert DAYS_LEAST <= abs(days_of(seed)) <= DAYS_MOST
    assert days_of(seed) == days_of(seed)


def test_days_spread_over_both_sides_and_come_of_the_seed_alone():
    found = [days_of(number.to_bytes(32, "big")) for number in range(2_000)]
    assert len(set(found)) > 600  # of 672
    assert 800 < sum(days > 0 for days in found) < 1_200
    assert {min(found), max(found)} <= {-DAYS_MOST, *range(-DAYS_MOST, -350), *range(350, DAYS_MOST + 1)}
    with pytest.raises(DeidentificationError):
        days_of(b"short")
