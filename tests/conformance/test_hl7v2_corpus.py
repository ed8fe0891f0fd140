"""HL7 v2 messages that others wrote: byte-identical, and read as another library reads them."""

from pathlib import Path

import hl7
import pytest
from tests.corpus import CORPUS, needs_corpus

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.hl7v2.mllp import Framer, wrap
from oathward.protocols.hl7v2.reader import decode, render, split_batch

FOLDER = CORPUS / "hl7v2"
MESSAGES = sorted(p for p in FOLDER.rglob("*") if p.suffix in {".hl7", ".txt"})
MALFORMED = sorted(p for p in (FOLDER / "nhapi-malformed").rglob("*") if p.is_file())

# What happens to each input that broke another parser. Its folder says what that parser does now:
# EncodingNotSupportedException and HL7Exception are refused here, with this reason; NoException decodes.
EXPECTED = {
    "aoor1": Reason.MESSAGE_EMPTY,
    "nullref1": Reason.SEPARATORS_INVALID,  # field separator is the letter H
    "hang1": Reason.SEPARATORS_INVALID,  # MSH-2 defines no repetition separator
    "ioor1": Reason.SEPARATORS_INVALID,  # component separator is the digit 0
    "stackoverflow1": Reason.SEPARATORS_INVALID,  # MSH-2 defines no repetition separator
    "stackoverflow2": Reason.SEPARATORS_INVALID,
    "sys1": Reason.SEPARATORS_INVALID,  # component separator is the digit 0
    "sys2": Reason.SEPARATORS_INVALID,
    "regex1": None,  # optional separators 01 and 0: read as declared, rewritten as ~ and & in the view
}

pytestmark = [needs_corpus, pytest.mark.corpus]


def name_of(path: Path) -> str:
    return path.relative_to(FOLDER).as_posix()


@pytest.mark.parametrize("path", MESSAGES, ids=name_of)
def test_a_real_message_is_rendered_byte_for_byte(path):
    raw = path.read_bytes()
    message = decode(raw)
    assert render(message) == raw
    assert split_batch(raw) == [raw]
    assert Framer().feed(wrap(raw)) == [raw]
    assert message.code.isalnum()


@pytest.mark.parametrize("path", MESSAGES, ids=name_of)
def test_another_library_reads_the_same_values(path):
    message = decode(path.read_bytes())
    text = path.read_bytes().decode(message.charset).removeprefix("\ufeff")
    other = hl7.parse("\r".join(line for line in text.replace("\n", "\r").split("\r") if line))
    assert len(other) == len(message.segments)
    compared = 0
    for ours, theirs in zip(message.segments, other, strict=True):
        fields = message.fields(ours)
        # That library drops blanks at both ends of the whole message.
        assert [f.decode(message.charset).strip() for f in fields] == [str(f).strip() for f in theirs]
        for n in range(1, len(fields)):
            compared += agree_on_components(message, fields[n], theirs[n], n)
    assert compared > 5


def agree_on_components(message, field, theirs, n):
    """Compare each first-level piece of a field; gives how many were compared."""
    if field in (b"|", b"^~\\&", b"^~\\&#"):
        return 0
    repetitions = message.repetitions(field)
    assert len(repetitions) == len(theirs)
    count = 0
    for i, repetition in enumerate(repetitions):
        parts = repetition.split(b"^")
        for c in range(1, len(parts) + 1):
            piece = theirs[i] if isinstance(theirs[i], str) else theirs[i][c - 1]
            assert message.part(repetition, c).decode(message.charset).strip() == str(piece).strip()
            count += 1
    return count


@pytest.mark.parametrize("path", MALFORMED, ids=name_of)
def test_inputs_that_broke_another_parser_have_their_outcome(path):
    raw, expected = path.read_bytes(), EXPECTED[path.name]
    assert (expected is None) == (path.parent.name == "NoException")
    if expected is None:
        assert render(decode(raw)) == raw
        return
    with pytest.raises(DecodeError) as refused:
        decode(raw)
    assert refused.value.reason is expected


def test_every_malformed_input_is_in_the_table():
    assert {path.name for path in MALFORMED} == set(EXPECTED)
