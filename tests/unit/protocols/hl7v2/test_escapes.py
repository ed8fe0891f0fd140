"""Escape sequences: what is read, what is kept, and that no value gets out of its field."""

import pytest

from oathward.protocols.hl7v2.escapes import USUAL, Separators, escape, escape_bytes, unescape, unescape_bytes
from oathward.protocols.hl7v2.reader import decode, joined

OTHER = Separators(*b"!$%*@#")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("plain", "plain"),
        ("\\F\\\\S\\\\T\\\\R\\\\E\\", "|^&~\\"),
        ("a\\X0D\\b", "a\rb"),
        ("a\\X0d0a\\b", "a\r\nb"),
        ("\\X4D756C6C6572\\", "Muller"),
        ("\\XC3BC\\", "ü"),
        ("\\XFC\\", "\\xfc"),
        ("one\\.br\\two\\.sp\\three", "one\ntwo\nthree"),
        ("\\H\\loud\\N\\", "loud"),
        ("\\C2842\\x\\M244242\\", "\\C2842\\x\\M244242\\"),
        ("\\Zlocal\\", "\\Zlocal\\"),
        ("\\.in+4\\", "\\.in+4\\"),
        ("\\X0\\", "\\X0\\"),
        ("\\X\\", "\\X\\"),
        ("\\XZZ\\", "\\XZZ\\"),
        ("C:\\dir\\file", "C:\\dir\\file"),
        ("half \\F", "half \\F"),
        ("\\", "\\"),
        ("\\\\", "\\\\"),
        ("\\P\\", "\\P\\"),
        ("", ""),
    ],
)
def test_reading(written, read):
    assert unescape(written) == read


def test_the_truncation_character_has_its_own_escape():
    assert unescape("$P$", Separators(*b"|^~$&#")) == "#"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("a|b^c~d&e\\f", "a\\F\\b\\S\\c\\R\\d\\T\\e\\E\\f"),
        ("x\rPID|1", "x\\X0D\\PID\\F\\1"),
        ("x\nPID", "x\\X0A\\PID"),
        ("\x0b\x1c\x00\x7f", "\\X0B\\\\X1C\\\\X00\\\\X7F\\"),
        ("Müller", "Müller"),
    ],
)
def test_writing(value, written):
    assert escape(value) == written
    assert unescape(written) == value


def test_writing_uses_the_separators_of_the_message():
    assert escape_bytes(b"a!b$c|d", OTHER) == b"a*F*b*S*c|d"
    assert unescape_bytes(b"a*F*b", OTHER) == b"a!b"


def test_without_an_escape_character_separators_become_spaces():
    bare = Separators(*b"|^~")
    assert escape_bytes(b"a|b^c\rd&e\\", bare) == b"a b c d&e\\"
    assert unescape_bytes(b"\\F\\", bare) == b"\\F\\"


HOSTILE = [
    b"x\rPID|1||666",
    b"x\nOBX|9",
    b"a|b",
    b"a^b",
    b"a~b",
    b"a&b",
    b"\\",
    b"\\F\\",
    b"\x0bMSH",
    b"\x1c\r",
    b"\x00",
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("separators", [USUAL, OTHER, Separators(*b"|^~")])
def test_a_value_makes_no_segment_field_or_component(value, separators):
    field, mark = bytes([separators.field]), bytes([separators.component, separators.repetition])
    mark += bytes(code for code in (separators.escape, separators.subcomponent) if code)
    header = field.join([b"MSH", mark, *[b""] * 6, b"ORU"])
    written = escape_bytes(value, separators)
    message = decode(joined([header, field.join([b"NTE", b"1", written, b"last"])]))
    assert len(message.segments) == 2
    assert message.fields(message.segments[1])[3:] == [b"last"]
    if separators.escape:
        assert unescape_bytes(message.field(message.segments[1], 2), separators) == value


@pytest.mark.parametrize("value", HOSTILE[:3])
def test_reverse_without_escaping_the_value_does_get_out(value):
    message = decode(b"MSH|^~\\&|||||||ORU\rNTE|1|" + value + b"|last\r")
    assert len(message.segments) > 2 or len(message.fields(message.segments[1])) > 4
