"""Names and addresses of the network, as they may be kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.discovery.model import VALUE_LENGTH_MAX
from oathward.discovery.values import address, host, names_one, printable


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("pump-7", "pump-7"),
        ("  pump 7 ", "pump 7"),
        ("a\x00b\x1b[31mc\r\nd\x7f", "ab[31mcd"),
        ("abc\u202egpj.exe\u2066", "abcgpj.exe"),
        ("x" * 5000, "x" * VALUE_LENGTH_MAX),
        ("<script>", "<script>"),
        (None, ""),
        (7, ""),
        (["pump"], ""),
    ],
)
def test_a_name_is_kept_so_that_it_can_be_shown(said: object, kept: str) -> None:
    assert printable(said) == kept


def test_one_machine_has_one_host_name() -> None:
    assert host("PUMP-7.Example.") == host("pump-7.example") == "pump-7.example"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("10.0.0.5", "10.0.0.5"),
        ("2001:0DB8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:10.0.0.5", "10.0.0.5"),
        ("0.0.0.0", ""),
        ("::", ""),
        ("10.0.0.256", ""),
        ("10.0.0.05", ""),
        ("10.0.0", ""),
        ("1:2", ""),
        ("", ""),
        ("-", ""),
        ("x" * 10_000, ""),
        ("10.0.0.٣", ""),
    ],
)
def test_an_address_is_written_in_one_way_or_is_none(said: str, kept: str) -> None:
    assert address(said) == kept


def test_groups_and_broadcasts_are_nobodys() -> None:
    assert [
        names_one(one) for one in ("10.0.0.5", "224.0.0.251", "255.255.255.255", "ff02::fb", "fe80::1")
    ] == [True, False, False, False, True]


@given(st.text())
def test_whatever_was_said_it_fits_a_line(said: str) -> None:
    kept = printable(said)
    assert len(kept) <= VALUE_LENGTH_MAX
    assert kept.isprintable()
    assert address(said) == address(address(said)) or not address(said)
