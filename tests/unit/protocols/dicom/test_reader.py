"""Reading files: what pydicom reads of them, and hostile ones by their reason."""

import contextlib
import zlib
from struct import pack

import pytest
from tests.dicom import ct, dataset, encoded, read

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.dicom import reader
from oathward.protocols.dicom.reader import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, decode

DEFLATED = "1.2.840.10008.1.2.1.99"


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    head = pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    long = vr in (b"SQ", b"OB", b"OW", b"UN", b"UT")
    return head + (pack("<HL", 0, size) if long else pack("<H", size)) + value


def file(body: bytes, syntax: str = EXPLICIT_LE) -> bytes:
    uid = syntax.encode()
    return bytes(128) + b"DICM" + element(0x00020010, b"UI", uid + b"\0" * (len(uid) & 1)) + body


def nested(depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        item = pack("<HHL", 0xFFFE, 0xE000, len(body)) + body
        body = element(0x00081140, b"SQ", item)
    return body


MODALITY = element(0x00080060, b"CS", b"CT")
ITEM = pack("<HHL", 0xFFFE, 0xE000, 0)


@pytest.mark.parametrize(
    ("data", "reason", "where"),
    [
        (b"", Reason.MESSAGE_EMPTY, "file"),
        (b"MZ" + bytes(400), Reason.HEADER_MISSING, "file"),
        (b"%PDF-1.4 ............", Reason.HEADER_MISSING, "file"),
        (bytes(128) + b"DICM", Reason.HEADER_MISSING, "file"),
        (file(MODALITY[:-1]), Reason.TRUNCATED, "(0008,0060)"),
        (file(MODALITY[:5]), Reason.TRUNCATED, "data set"),
        (file(element(0x00080060, b"??", b"CT")), Reason.ELEMENT_TYPE, "(0008,0060)"),
        (file(element(0x7FE00010, b"OW", b"ab", 0xFFFFFFFE)), Reason.TRUNCATED, "(7FE0,0010)"),
        (file(element(0x00080060, b"CS", b"CT", 0xFFFE)), Reason.TRUNCATED, "(0008,0060)"),
        (file(element(0x00081140, b"SQ", ITEM + b"abcdefgh")), Reason.VALUE_INVALID, "(0008,1140)"),
        (file(element(0x00081140, b"SQ", pack("<HHL", 0xFFFE, 0xE000, 99))), Reason.TRUNCATED, "(0008,1140)"),
        (file(element(0x00081140, b"SQ", ITEM, 0xFFFFFFFF)), Reason.TRUNCATED, "(0008,1140)"),
        (file(element(0x7FE00010, b"OB", ITEM, 0xFFFFFFFF)), Reason.TRUNCATED, "(7FE0,0010)"),
        (file(element(0x7FE00010, b"OB", b"x" * 16, 0xFFFFFFFF)), Reason.VALUE_INVALID, "(7FE0,0010)"),
        (file(element(0x0040A160, b"UT", b"", 0xFFFFFFFF)), Reason.VALUE_INVALID, "(0040,A160)"),
        (file(nested(reader.DEPTH_MAX + 1)), Reason.LIMIT_EXCEEDED, "(0008,1140)"),
        (file(MODALITY, "1.2.3.4"), Reason.FORMAT_UNSUPPORTED, "(0002,0010)"),
        (file(b"never deflated", DEFLATED), Reason.MESSAGE_UNDECODABLE, "data set"),
        (file(zlib.compress(MODALITY, wbits=-15)[:-2], DEFLATED), Reason.TRUNCATED, "data set"),
    ],
)
def test_what_is_no_file_is_refused_with_a_reason_and_a_place(data, reason, where):
    with pytest.raises(DecodeError) as refused:
        decode(data)
    assert (refused.value.reason, refused.value.where) == (reason, where)


def test_a_bomb_is_inflated_no_further_than_its_limit():
    bomb = file(zlib.compress(bytes(10_000_000), wbits=-15), DEFLATED)
    with pytest.raises(DecodeError) as refused:
        decode(bomb, inflated_bytes_max=100_000)
    assert refused.value.reason is Reason.LIMIT_EXCEEDED


def test_more_elements_than_the_limit_are_refused():
    for body in (MODALITY * 21, element(0x00081140, b"SQ", ITEM * 21)):
        with pytest.raises(DecodeError) as refused:
            decode(file(body), elements_max=20)
        assert refused.value.reason is Reason.LIMIT_EXCEEDED


def test_a_directory_is_refused():
    directory = element(0x00020002, b"UI", b"1.2.840.10008.1.3.10\0\0"[:20])
    data = (
        bytes(128) + b"DICM" + directory + element(0x00020010, b"UI", EXPLICIT_LE.encode() + b"\0") + MODALITY
    )
    with pytest.raises(DecodeError) as refused:
        decode(data)
    assert refused.value.reason is Reason.FORMAT_UNSUPPORTED


def test_any_prefix_of_a_file_is_read_or_refused():
    whole = encoded(ct(ReferencedStudySequence=[dataset(ReferencedSOPInstanceUID="1.2.3")]))
    for size in range(len(whole)):
        with contextlib.suppress(DecodeError):
            decode(whole[:size])


def _flat(elements) -> list[int]:
    found = []
    for one in elements:
        found.append(one[0])
        for item in one[5] or ():
            found += _flat(item.elements)
    return found


def _judged(made) -> list[int]:
    found = []
    for one in made:
        found.append(int(one.tag))
        for item in one.value if one.VR == "SQ" else ():
            found += _judged(item)
    return found


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED])
@pytest.mark.parametrize("headed", [True, False])
def test_each_encoding_is_read_as_pydicom_reads_it(syntax, headed):
    inner = dataset(ReferencedSOPInstanceUID="1.2.3", PurposeOfReferenceCodeSequence=[dataset(CodeValue="1")])
    data = encoded(ct(SourceImageSequence=[inner, dataset()]), syntax)
    if not headed:
        if syntax == DEFLATED:
            return
        data = data[decode(data).body :]
    file = decode(data)
    assert _flat(file.elements) == _judged(ct(SourceImageSequence=[inner, dataset()]))
    assert file.inflated is (syntax == DEFLATED)
    pixels = next(one for one in file.elements if one[0] == reader.PIXEL_DATA)
    assert len(file.data[pixels[3] : pixels[4]]) == 32


def test_what_is_in_the_preamble_is_not_looked_at():
    data = b"MZ" + b"\x90" * 126 + encoded(ct())[128:]
    assert _flat(decode(data).elements) == _judged(read(data))
