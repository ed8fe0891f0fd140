"""A card's number is one number in whatever way it is written; what names no single card is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.discovery.cards import eui64, mac, serial


@pytest.mark.parametrize(
    "text",
    ["00:1B:c5:00:0A:1f", "00-1b-C5-00-0a-1F", "001b.c500.0a1f", "001BC5000A1F", "0:1b:c5:0:a:1f", " 001bc5-000a1f ", "00 1b c5 00 0a 1f"],
)  # fmt: skip
def test_one_card_in_any_notation(text):
    assert mac(text) == "00:1b:c5:00:0a:1f"


@pytest.mark.parametrize(
    "text",
    ["", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:1b:c5:00:0a", "00:1b:c5:00:0a:1g", "001b.c500.0a1f.0000", "10.0.0.5", "1b-c500-0a1f", "001:1b:c5:00:0a:1"],
)  # fmt: skip
def test_what_names_no_single_card_is_none(text):
    assert mac(text) is None


def test_an_eui64_is_written_one_way():
    assert eui64("01-23-45-67-89-AB-CD-EF") == "0123456789abcdef"
    assert eui64("001b.c5ff.fe00.0a1f") == "001bc5fffe000a1f"
    assert eui64("f" * 16) is None


def test_a_serial_number_stands_with_its_maker():
    assert serial("Acme ", "SN-1a") == "acme|sn-1a" != serial("", "SN-1a")


@given(st.text(max_size=40))
def test_any_text_is_a_number_or_none(text):
    found = mac(text)
    assert found is None or mac(found) == found
    eui64(text)
