"""HL7 v2 for any input: round trips, no escape from a field, one outcome however a stream is cut."""

from datetime import UTC, datetime

import hl7
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.hl7v2.ack import acknowledge
from oathward.protocols.hl7v2.escapes import Separators, escape, escape_bytes, unescape, unescape_bytes
from oathward.protocols.hl7v2.mllp import FrameLimits, Framer, wrap
from oathward.protocols.hl7v2.reader import decode, joined, render, split_batch

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PUNCTUATION = "!\"#$%&'()*+,./:;<=>?@[\\]^_`{|}~"

separators = st.lists(st.sampled_from(PUNCTUATION), min_size=5, max_size=6, unique=True).map(
    lambda chosen: Separators(*map(ord, chosen))
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
nasty = st.text(st.sampled_from("|^~\\&\r\n\x0b\x1c\x00FSTRE.brX0D PID"), max_size=20)
values = st.lists(st.lists(texts | nasty, min_size=1, max_size=4), min_size=1, max_size=4)
headers = st.builds(
    lambda mark, rest: b"MSH" + mark + rest,
    st.sampled_from([b"|^~\\&|", b"|^~\\&#|", b"|^~|", b"#$%*@#", b"", b"|", b"|^", b"|^\x010\\|"]),
    st.binary(max_size=60),
)


def written(rows, marks):
    """Write rows of text values with our helper, under the given separators."""
    field = bytes([marks.field])
    codes = [marks.component, marks.repetition, marks.escape, marks.subcomponent]
    codes += [marks.truncation] if marks.truncation else []
    header = field.join([b"MSH", bytes(codes), *[b""] * 6, b"ORU", *[b""] * 8, b"UNICODE UTF-8"])
    return joined(
        [
            header,
            *(field.join([b"ZZZ", *(escape_bytes(v.encode(), marks) for v in row), b"end"]) for row in rows),
        ]
    )


@given(st.text(), separators)
def test_every_text_survives_escaping(text, marks):
    assert unescape(escape(text, marks), marks) == text
    assert unescape_bytes(escape_bytes(text.encode(), marks), marks) == text.encode()


@given(values, separators)
def test_what_is_written_is_what_is_read_and_nothing_else(rows, marks):
    message = decode(written(rows, marks))
    assert message.separators == marks
    assert len(message.segments) == len(rows) + 1
    for i, row in enumerate(rows, 1):
        assert len(message.fields(message.segments[i])) == len(row) + 2
        for n, value in enumerate(row, 1):
            found = message.get(f"ZZZ[{i}]-{n}.1.1")
            assert (found.reveal() if found else "") == value


@given(values)
def test_another_reader_finds_the_same_segments_fields_and_values(rows):
    other = hl7.parse(written(rows, Separators(*b"|^~\\&")).decode())
    assert len(other) == len(rows) + 1
    for i, row in enumerate(rows, 1):
        assert len(other[i]) == len(row) + 2
        for n, value in enumerate(row, 1):
            assert other.unescape(str(other[i][n])) == value


@given(st.binary(max_size=200) | headers)
def test_any_bytes_decode_or_are_refused_and_always_get_one_answer(raw):
    try:
        message = decode(raw)
    except DecodeError as error:
        reply = acknowledge(raw, "AR", now=NOW, control_id="1", reason=error.reason)
    else:
        assert render(message) == raw
        for i, segment in enumerate(message.segments):
            message.name(i)
            message.fields(segment)
        reply = acknowledge(message, "AE", now=NOW, control_id="1", reason=Reason.VALUE_INVALID)
    Framer().feed(wrap(reply))
    assert decode(reply).get("MSA-1") is not None


@given(
    st.lists(
        st.sampled_from(
            [
                b"MSH|^~\\&|||||||ORU\r",
                b"PID|1\r",
                b"BHS|^~\\&\r",
                b"FHS|^~\\&\r",
                b"BTS|1\r",
                b"FTS|1\r",
                b"\n",
                b"x",
            ]
        ),
        max_size=8,
    )
)
def test_any_batch_is_cut_or_refused_and_no_byte_of_a_message_is_lost(parts):
    raw = b"".join(parts)
    try:
        messages = split_batch(raw)
    except DecodeError:
        return
    assert all(message in raw for message in messages)
    assert b"".join(messages).count(b"PID") == raw.count(b"PID")


chunks = st.sampled_from(
    [wrap(b"MSH|1\r"), wrap(b""), b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"x", b"MSH", b"\n" * 5]
)


@given(st.lists(chunks, max_size=12).map(b"".join) | st.binary(max_size=60), st.data())
def test_a_stream_has_one_outcome_however_it_is_split(stream, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert outcome(pieces) == outcome([stream])


def outcome(pieces):
    framer, frames = Framer(FrameLimits(frame_bytes_max=30, junk_bytes_max=8)), []
    try:
        for piece in pieces:
            frames += framer.feed(piece)
        framer.feed(b"")
        framer.close()
    except DecodeError as error:
        return frames, error.reason
    return frames, None
