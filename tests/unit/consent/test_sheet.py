"""Consents as CSV: a patient by number and authority, nothing guessed, errors by line and column."""

import pytest

from oathward.consent.sheet import moment, parse
from oathward.core.errors import InputError

HEADER = "MRN,Assigning authority,permit,purposes,recipients,classes,valid from,end\n"
DAY_US = 86_400_000_000
NEW_YEAR_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


def test_rows():
    found = parse(
        (
            HEADER
            + "100001,HOSP,yes,HRESCH;HPAYMT,*,observation.*,2026-01-01,2026-01-01\n100002,HOSP,deny,,,,,\n"
        ).encode()
    )
    assert found.errors == ()
    permit, deny = found.rows
    assert permit.identifier.reveal() == "100001^^^HOSP^MR"
    assert (permit.statement.fact.start_us, permit.statement.fact.end_us) == (
        NEW_YEAR_US,
        NEW_YEAR_US + DAY_US,
    )
    assert permit.statement.fact.purposes == {"HRESCH", "HPAYMT"}
    assert not deny.statement.fact.permit
    assert "100001" not in repr(found)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (",HOSP,yes,HRESCH,*,*,,", "identifier"),
        ("1,,yes,HRESCH,*,*,,", "authority"),
        ("1^^^EVIL,HOSP,yes,HRESCH,*,*,,", "identifier"),
        ("1,HOSP,maybe,HRESCH,*,*,,", "permit"),
        ("1,HOSP,,HRESCH,*,*,,", "permit"),
        ("1,HOSP,yes,,*,*,,", "purposes"),
        ("1,HOSP,yes,HRESCH,,*,,", "recipients"),
        ("1,HOSP,yes,HRESCH,*,,,", "classes"),
        ("1,HOSP,yes,HRESCH,*,nonsense,,", "classes"),
        ("1,HOSP,yes,HRESCH,*,*,yesterday,", "from"),
        ("1,HOSP,yes,HRESCH,*,*,2026-01-01T08:00:00,", "from"),
        ("1,HOSP,yes,HRESCH,*,*,2026-02-01,2026-01-01", "until"),
        ('1,HOSP,yes,HRESCH,"*,*,,', ""),
    ],
)
def test_every_error_has_its_place_and_no_value(row, column):
    (error,) = parse((HEADER + "2,HOSP,no,,,,,\n" + row + "\n").encode()).errors
    assert (error.line, error.column) == (3, column)
    assert "EVIL" not in error.why


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("identifier,authority\n1,A\n", ["permit"]),
        ("identifier,authority,permit,hobby\n1,A,no,x\n", ["column 4"]),
        ("mrn,identifier,authority,permit\n", ["column 2"]),
        ("", ["identifier", "authority", "permit"]),
    ],
)
def test_the_header_must_be_understood(text, columns):
    assert [e.column for e in parse(text.encode()).errors] == columns


def test_bytes_that_are_not_text():
    assert parse(b"\xff").errors[0].why == "must be UTF-8"
    assert parse(b"identifier\0").errors != ()


def test_moments():
    assert moment("", "from", end=False) is None
    assert moment("2026-01-01", "from", end=False) == NEW_YEAR_US
    assert moment("2026-01-01", "until", end=True) == NEW_YEAR_US + DAY_US
    assert moment("2026-01-01T01:00:00+01:00", "from", end=False) == NEW_YEAR_US
    for bad in ("2026-13-01", "01.01.2026", "9999-12-31"):
        with pytest.raises(InputError):
            moment(bad, "until", end=True)
