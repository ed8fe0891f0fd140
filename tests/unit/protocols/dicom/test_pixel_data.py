"""The promise: nothing that was written beside the pixels leaves with them, and every pixel decodes as before."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless
from tests.dicom import ct, encoded, read, rewriter, shaped
from tests.pixels import anatomy, file_of, image, jpeg

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.protocols.dicom import rewrite
from oathward.protocols.dicom.pixel_data import hidden, high_bits_used
from oathward.protocols.dicom.reader import decode

SECRET = b"Fernandez Anna 4711"
PIXELS = anatomy(48, 64, 1)


def left(data: bytes):
    """Give the output and its bytes."""
    out = shaped(data)[1]
    return read(out), out


def coded(frame=PIXELS, **how) -> bytes:
    out = BytesIO()
    Image.fromarray(frame).save(out, "JPEG", **how)
    return out.getvalue()


def segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload


def in_fragments(frames, *, fragments=1, syntax="1.2.840.10008.1.2.4.50", number=0) -> bytes:
    made = jpeg(image(PIXELS), [PIXELS])
    made.PixelData = encapsulate(frames, fragments_per_frame=fragments)
    if number or len(frames) > 1:
        made.NumberOfFrames = number or len(frames)
    made.file_meta.TransferSyntaxUID = syntax
    return file_of(made)


PLACES = {
    "comment": lambda data: data[:2] + segment(0xFE, SECRET) + data[2:],
    "application segment": lambda data: data[:2] + segment(0xE1, b"Exif\0\0" + SECRET) + data[2:],
    "a thumbnail": lambda data: (
        data[:2] + segment(0xE0, b"JFIF\0\1\2\0\0\1\0\1\x08\x08" + SECRET) + data[20:]
    ),
    "behind what Adobe says": lambda data: data[:2] + segment(0xEE, b"Adobe" + bytes(7) + SECRET) + data[2:],
    "between scans": lambda data: data[:-2] + segment(0xFE, SECRET) + data[-2:],
    "after the end": lambda data: data + SECRET,
    "fill bytes before": lambda data: data[:2] + b"\xff\xff" + segment(0xFE, SECRET) + data[2:],
}


@pytest.mark.parametrize("fragments", [1, 4])
@pytest.mark.parametrize("place", PLACES)
def test_what_is_written_beside_the_pixels_of_a_jpeg_frame_goes(place: str, fragments: int):
    plain = coded()
    data = in_fragments([PLACES[place](plain)], fragments=fragments)
    made, out = left(data)
    assert not any(SECRET[at : at + 6] in out for at in range(len(SECRET) - 5))
    assert np.array_equal(made.pixel_array, read(in_fragments([plain])).pixel_array)
    assert len(made.PixelData) == len(read(data).PixelData)


def test_it_leaves_without_the_guard(monkeypatch):
    monkeypatch.setattr(rewrite, "hidden", lambda _file: [])
    assert SECRET in left(in_fragments([PLACES["comment"](coded())]))[1]


def test_every_frame_is_looked_at_and_one_without_comments_stays_as_it_is():
    frames = [coded(), PLACES["comment"](coded()), coded()]
    made, out = left(in_fragments(frames))
    assert SECRET not in out
    assert made.NumberOfFrames == 3
    clean = in_fragments([coded(), coded(progressive=True)])
    assert hidden(decode(clean)) == []


@pytest.mark.parametrize(("syntax", "kind"), [(JPEG2000Lossless, "j2k"), (JPEGLSLossless, "jls")])
def test_comments_of_other_kinds_of_jpeg_go_too(syntax, kind: str):
    pytest.importorskip("gdcm" if kind == "jls" else "PIL")
    made = image(PIXELS)
    if kind == "j2k":
        out = BytesIO()
        Image.fromarray(PIXELS).save(out, "JPEG2000", no_jp2=True, comment=SECRET.decode())
        frame = out.getvalue()
    else:
        frame = b"\xff\xd8" + segment(0xFE, SECRET) + segment(0xE8, b"mrfx\0") + b"\xff\xd9"
    made.PixelData = encapsulate([frame])
    made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = syntax
    data = file_of(made)
    assert SECRET in data
    after, left_over = left(data)
    assert SECRET not in left_over
    if kind == "j2k":
        assert np.array_equal(after.pixel_array, PIXELS)
    else:
        assert b"mrfx" in left_over


BROKEN = {
    "no segment": b"\xff\xd8\0\0",
    "a length beyond the end": b"\xff\xd8\xff\xfe\x7f\xff" + SECRET,
    "a length of nothing": b"\xff\xd8\xff\xfe\0\0" + SECRET,
    "a marker of nobody's": b"\xff\xd8" + segment(0xF0, SECRET),
    "nothing but fill bytes": b"\xff\xd8\xff\xff",
    "another kind": SECRET,
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.80", JPEG2000Lossless])
def test_frames_that_are_not_what_they_say_are_held(name: str, syntax: str):
    with pytest.raises(DeidentificationError) as caught:
        left(in_fragments([BROKEN[name]], syntax=syntax))
    assert (caught.value.reason, caught.value.where) == (Reason.PIXELS_HELD, "(7FE0,0010)")
    assert SECRET.decode() not in str(caught.value)


@pytest.mark.parametrize("syntax", [b"4.100\0", b"4.110\0", b"8.1\0\0\0"])
def test_frames_whose_comments_nobody_finds_are_held(syntax: bytes):
    data = in_fragments([coded()], syntax="1.2.840.10008.1.2.4.100")
    with pytest.raises(DeidentificationError):
        left(data.replace(b"4.100\0", syntax))


@pytest.mark.parametrize("number", [1, 3])
def test_frames_that_the_header_does_not_count_are_held(number: int):
    with pytest.raises(DeidentificationError):
        left(in_fragments([coded(), coded()], number=number))
    made = image(PIXELS)
    made.compress(RLELossless, generate_instance_uid=False)
    assert left(file_of(made))[0].PixelData == made.PixelData
    made.NumberOfFrames = 2
    with pytest.raises(DeidentificationError):
        left(file_of(made))


def test_bytes_after_the_last_frame_become_zeros():
    made = ct(PixelData=bytes(range(32)) + SECRET + b"!")
    after, out = left(encoded(made))
    assert SECRET not in out
    assert after.PixelData == bytes(range(32)) + bytes(20)


def test_pixels_within_a_sequence_go():
    inner = Dataset()
    inner.add_new(0x7FE00010, "OB", SECRET + b"!")
    inner.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    made = ct(ReferencedImageSequence=Sequence([inner]))
    after, out = left(encoded(made))
    assert SECRET not in out
    assert after.PixelData == bytes(range(32))
    assert shaped(encoded(made))[0].removed["observation.value"] == 1


@pytest.mark.parametrize(("signed", "values", "used"), [
    (0, [0, 4095], False),
    (0, [0, 4096], True),
    (0, [0, 0x8FFF], True),
    (1, [0xF800, 0x07FF], False),  # extended by its sign
    (1, [0x0800, 0x07FF], False),  # not extended
    (1, [0x1800, 0], True),
])  # fmt: skip
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
def test_bits_above_the_stored_ones(signed: int, values: list[int], used: bool, syntax: str):
    pixels = np.tile(values, 8).astype("<u2" if syntax.endswith("2.1") else ">u2")
    made = ct(BitsStored=12, HighBit=11, PixelRepresentation=signed, PixelData=pixels.tobytes())
    data = encoded(made, syntax)
    assert high_bits_used(decode(data)) is used


def test_values_that_are_not_in_the_lowest_bits_count_as_used():
    assert high_bits_used(decode(encoded(ct(BitsStored=12, HighBit=15, PixelData=bytes(32)))))
    assert not high_bits_used(decode(encoded(ct())))


def test_the_output_says_that_pixels_are_clean_where_they_were_looked_at_and_nowhere_else():
    file = decode(encoded(ct()))

    def codes(*options: int, looked: bool) -> list[str]:
        done = rewriter(*options)(file, "1", None, pixels_cleaned=looked)
        made = read(done.joined(file.data))
        assert made.get("BurnedInAnnotation") == ("NO" if looked else None)
        return [code.CodeValue for code in made.DeidentificationMethodCodeSequence]

    assert codes(113107, looked=True) == ["113100", "113101", "113107"]
    assert codes(113101, 113107, looked=False) == ["113100", "113107"]
