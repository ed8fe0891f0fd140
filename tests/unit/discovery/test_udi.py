"""A UDI gives what it says, by all three agencies; what does not fit is refused with its place."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.errors import InputError
from oathward.discovery.udi import Udi, gtin, parse

YEAR = 2026
GS1 = "(01)51022222233336(11)141231(17)150707(10)A213B1(21)1234"
HIBCC = "+H123PARTNO1234567890120/$$420020216LOT123456789012345/SXYZ4567890123 45678/16D20130202C"
ICCBBA = "=/A9999XYZ100T0944=,000025=A99971312345600=>014032=}013032&,1000000000000XYZ123"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GS1, Udi("GS1", "51022222233336", "1234", "A213B1", "2015-07-07", "2014-12-31")),
        ("0151022222233336111412311715070710A213B1\x1d211234", parse(GS1, YEAR)),
        ("]d20151022222233336111412311715070710A213B1\x1d211234", parse(GS1, YEAR)),
        ("51022222233336", Udi("GS1", "51022222233336")),
        ("(01)00012345678905(17)270200(21)A(B", Udi("GS1", "00012345678905", "A(B", expiry="2027-02-28")),
        (
            HIBCC,
            Udi(
                "HIBCC",
                "H123PARTNO1234567890120",
                "XYZ4567890123 45678",
                "LOT123456789012345",
                "2020-02-02",
                "2013-02-02",
            ),
        ),
        ("+A123BJC5D6E71/$$+3271231ABCC", Udi("HIBCC", "A123BJC5D6E71", "ABC", expiry="2027-12-31")),
        ("+A123BJC5D6E71/$$+20901275T", Udi("HIBCC", "A123BJC5D6E71", "5", expiry="2027-09-01")),
        ("+A123BJC5D6E71/$$0927L12", Udi("HIBCC", "A123BJC5D6E71", lot="L1", expiry="2027-09-30")),
        ("+A123BJC5D6E71/27365L1F", Udi("HIBCC", "A123BJC5D6E71", lot="L1", expiry="2027-12-31")),
        ("+A123BJC5D6E71G", Udi("HIBCC", "A123BJC5D6E71")),
        (
            ICCBBA,
            Udi(
                "ICCBBA",
                "A9999XYZ100T0944",
                "000025",
                "000000000000XYZ123",
                "2014-02-01",
                "2013-02-01",
                "A99971312345600",
            ),
        ),
    ],
)
def test_it_says_what_the_agencies_examples_say(text, said):
    assert parse(text, YEAR) == said


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("(01)51022222233337(21)1", "(01)"),  # check digit
        ("(01)51022222233336(17)271301", "(17)"),  # month 13
        ("(01)51022222233336(21)" + "1" * 21, "(21)"),
        ("(01)51022222233336(21)1(21)2", "(21)"),
        ("(21)1234", "(01)"),
        ("(01)51022222233336 and more(", "(01)"),
        ("+A123BJC5D6E71H", "check character"),
        (HIBCC.replace(" ", ""), "check character"),
        ("+1", "check character"),
        ("=/A9999XYZ100T0944=>014366", "=>"),
        ("=,000025", "=/"),
        ("=/A9999XYZ100T0944=A99971312345661", "="),
        ("é", "UDI"),
        ("x" * 201, "UDI"),
        ("", "(01)"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place_and_no_value(text, where):
    with pytest.raises(InputError) as found:
        parse(text, YEAR)
    assert found.value.where == where
    assert "1234" not in str(found.value)


def test_years_of_two_digits_are_within_fifty_of_now():
    def expiry(yy: str, year: int) -> str:
        return parse(f"(01)51022222233336(17){yy}0101", year).expiry[:4]

    assert [expiry("76", 2026), expiry("77", 2026), expiry("00", 2099)] == ["2076", "1977", "2100"]


@given(st.from_regex(r"[0-9]{13}", fullmatch=True))
def test_of_ten_last_digits_one_holds(body):
    assert sum(gtin(body + str(last)) is not None for last in range(10)) == 1


@given(
    st.text(max_size=60)
    | st.from_regex(r"(\(\d{2}\)[0-9A-Z]{0,20}){0,4}", fullmatch=True)
    | st.from_regex(r"[+=][0-9A-Z/$,>}&]{0,40}", fullmatch=True)
)
def test_any_text_is_read_or_refused(text):
    with suppress(InputError):
        assert parse(text, YEAR).di
