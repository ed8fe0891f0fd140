"""The promise: what was read is gone from every frame, all else is as it was, and what cannot be done is held."""

from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_color_lut
from pydicom.uid import ExplicitVRBigEndian, RLELossless
from tests.pixels import CT, ULTRASOUND, Sees, anatomy, file_of, image, jpeg, nobody, regions, write

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.deid.pixels import clean as module
from oathward.deid.pixels.clean import clean
from oathward.deid.pixels.frames import decode, opened
from oathward.deid.pixels.model import Cleaned, Held, Untouched

ROWS, COLUMNS = 96, 160
BOX = (20, 8, 140, 26)
WITHIN = np.zeros((ROWS, COLUMNS), dtype=bool)
WITHIN[0:36, 8:152] = True
"""Where the box and its margin may reach."""


def drawn(value=230, *, shape=(ROWS, COLUMNS), dtype=np.uint8, seed=1):
    """A slice on dark ground with a name in ``BOX``."""
    pixels = anatomy(ROWS, COLUMNS, seed) // 3
    pixels[:36] = 10
    if len(shape) == 3:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    planted = write(pixels, "FERNANDEZ", 24, 9, 16, value)
    return pixels.astype(dtype), planted


def sees():
    return Sees("FERNANDEZ", BOX, COLUMNS)


def cleaned(dataset, read=None) -> pydicom.Dataset:
    outcome = clean(
        file_of(dataset) if dataset.file_meta.TransferSyntaxUID != ExplicitVRBigEndian else dataset,
        read or sees(),
    )
    assert isinstance(outcome, Cleaned), outcome
    return opened(outcome.file)


def even(pixels, ink) -> bool:
    """Nothing of the ink stands out any more."""
    flat = pixels[..., ink] if pixels.ndim == 2 else pixels[ink]
    return np.ptp(flat.reshape(len(flat), -1), axis=0).max() == 0


SIGNED = {"PixelRepresentation": 1}


@pytest.mark.parametrize(("dtype", "more"), [
    (np.uint8, {}), (np.uint16, {}), (np.int16, {}), (np.uint16, {"BitsStored": 12, "HighBit": 11}), (np.uint32, {}),
])  # fmt: skip
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_grey_of_any_depth(dtype, more: dict, photometric: str):
    pixels, planted = drawn(dtype=dtype)
    made = cleaned(image(pixels, photometric=photometric, **more))
    after = made.pixel_array
    assert after.dtype == dtype
    assert even(after, planted.ink)
    assert np.array_equal(after[~WITHIN], pixels[~WITHIN])


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_colour_of_both_planar_configurations(photometric: str, planar: int):
    pixels, planted = drawn((230, 200, 40), shape=(ROWS, COLUMNS, 3))
    dataset = image(pixels, photometric=photometric)
    if planar:
        dataset.PlanarConfiguration, dataset.PixelData = 1, pixels.transpose(2, 0, 1).tobytes()
    made = cleaned(dataset)
    after = decode(made).pixels[0]
    assert (made.PhotometricInterpretation, made.PlanarConfiguration) == (photometric, 0)
    assert even(after, planted.ink)
    assert np.array_equal(after[~WITHIN], pixels[~WITHIN])


def test_uncompressed_subsampled_colour():
    pixels, planted = drawn((230, 200, 200), shape=(ROWS, COLUMNS, 3))
    pairs = pixels.reshape(-1, 2, 3)
    stored = np.stack([pairs[:, 0, 0], pairs[:, 1, 0], pairs[:, 0, 1], pairs[:, 0, 2]], axis=1)
    dataset = image(pixels, photometric="YBR_FULL_422")
    dataset.PixelData = stored.tobytes()
    made = cleaned(dataset)
    after = decode(made).pixels[0]
    assert made.PhotometricInterpretation == "YBR_FULL"
    assert np.ptp(after[planted.ink].reshape(-1, 3), axis=0).max() == 0
    assert np.array_equal(after[~WITHIN][:, 0], pixels[~WITHIN][:, 0])


def test_palette_colour_keeps_its_palette():
    pixels, planted = drawn()
    dataset = image(pixels, photometric="PALETTE COLOR")
    for colour, factor in (("Red", 257), ("Green", 200), ("Blue", 90)):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(
            dataset, f"{colour}PaletteColorLookupTableData", (np.arange(256) * factor).astype("<u2").tobytes()
        )
    made = cleaned(dataset)
    assert even(apply_color_lut(made.pixel_array, made), planted.ink)
    assert np.array_equal(made.pixel_array[~WITHIN], pixels[~WITHIN])


def test_every_frame_also_those_in_which_it_was_not_read():
    frames = np.stack([drawn(seed=seed)[0] for seed in (1, 2, 3)])
    ink = drawn()[1].ink
    frames[1][ink] = 40  # too faint for the reader
    made = cleaned(image(frames, frames=3))
    after = made.pixel_array
    assert after.shape == frames.shape
    assert all(even(frame, ink) for frame in after)
    assert np.array_equal(after[:, ~WITHIN], frames[:, ~WITHIN])


def test_what_stands_in_all_frames_is_read_in_the_extremes_and_no_frame_twice():
    frames = np.stack([drawn(seed=seed)[0] for seed in (1, 2, 3, 4, 4)])
    reader = sees()
    made = cleaned(image(frames, frames=5), reader)
    assert all(even(frame, drawn()[1].ink) for frame in made.pixel_array)
    full, faint, turned, quick, extremes, distinct = 5, 2, 4, 2, 2, 4
    assert reader.reads == extremes * (full + faint + turned) * 2 + distinct * quick


def test_text_in_one_late_frame_is_found():
    frames = np.stack([anatomy(ROWS, COLUMNS, 1)] * 4)
    frames[:, :36] = 10
    planted = write(frames[2], "FERNANDEZ", 24, 9, 16, 230)
    assert even(cleaned(image(frames, frames=4)).pixel_array[2], planted.ink)


def test_run_length_encoded_pixels_without_loss():
    pixels, planted = drawn()
    dataset = image(pixels)
    dataset.compress(RLELossless, generate_instance_uid=False)
    made = cleaned(dataset)
    assert made.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert "LossyImageCompression" not in made
    assert np.array_equal(made.pixel_array[~WITHIN], pixels[~WITHIN])
    assert even(made.pixel_array, planted.ink)


@pytest.mark.parametrize("colour", [False, True])
def test_jpeg_is_decoded_and_says_it_was_lossy(colour: bool):
    pixels, planted = drawn(
        (230, 230, 230) if colour else 230, shape=(ROWS, COLUMNS, 3) if colour else (ROWS, COLUMNS)
    )
    dataset = jpeg(image(pixels, photometric="RGB" if colour else "MONOCHROME2"), [pixels])
    before = decode(opened(file_of(dataset))).pixels[0]
    made = cleaned(dataset)
    assert (made.LossyImageCompression, made.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert float(made.LossyImageCompressionRatio) > 1
    assert made.PhotometricInterpretation == ("RGB" if colour else "MONOCHROME2")
    assert even(made.pixel_array, planted.ink)
    assert np.array_equal(made.pixel_array[~WITHIN], before[~WITHIN])


def test_big_endian_becomes_little():
    pixels, planted = drawn(dtype=np.uint16)
    dataset = image(pixels)
    dataset.PixelData = pixels.astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    made = cleaned(pydicom.dcmread(BytesIO(file_of(dataset, implicit_vr=False, little_endian=False))))
    assert np.array_equal(made.pixel_array[~WITHIN], pixels[~WITHIN])
    assert even(made.pixel_array, planted.ink)


def test_bits_above_the_value_are_cleared():
    pixels, planted = drawn(dtype=np.uint16)
    hidden = pixels | (planted.ink[::-1].astype(np.uint16) << 15)
    made = cleaned(image(hidden, BitsStored=12, HighBit=11))
    assert np.frombuffer(made.PixelData, dtype="<u2").max() < 1 << 12


def test_outside_the_ultrasound_regions_goes_without_being_read():
    pixels, planted = drawn()
    dataset = image(pixels, sop_class=ULTRASOUND, SequenceOfUltrasoundRegions=regions((10, 40, 149, 89)))
    outcome = clean(file_of(dataset), nobody)
    assert isinstance(outcome, Cleaned)
    assert {box.how for box in outcome.boxes} == {"region"}
    after = opened(outcome.file).pixel_array
    assert even(after, planted.ink)
    assert np.array_equal(after[40:90, 10:150], pixels[40:90, 10:150])
    assert np.ptp(after[:40]) == 0


def test_the_file_says_what_was_done_and_nothing_of_before_is_left():
    pixels, _ = drawn()
    dataset = image(
        pixels, ImageType=["ORIGINAL", "PRIMARY"], BurnedInAnnotation="YES", SmallestImagePixelValue=0
    )
    icon = pydicom.Dataset()
    icon.add_new("PixelData", "OB", b"FERNANDEZ ")
    dataset.IconImageSequence = [icon]
    dataset.PixelData += b"FERNANDEZ " * 20  # beyond the frame
    outcome = clean(b"FERNANDEZ".ljust(128) + file_of(dataset)[128:], sees())
    assert isinstance(outcome, Cleaned)
    made = opened(outcome.file)
    assert (made.BurnedInAnnotation, made.DerivationDescription) == ("NO", "Burned-in text blanked")
    assert list(made.ImageType) == ["DERIVED", "PRIMARY"]
    assert made.SOPInstanceUID == dataset.SOPInstanceUID
    assert b"FERNANDEZ" not in outcome.file


def test_not_at_risk_is_not_read_and_all_is_when_asked():
    pixels, _ = drawn(dtype=np.uint16)
    dataset = image(pixels, sop_class=CT, Modality="CT", ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])
    read = sees()
    assert clean(file_of(dataset), read) == Untouched(looked=False)
    assert read.reads == 0
    assert isinstance(clean(file_of(dataset), read, every=True), Cleaned)


def test_an_image_at_risk_without_text_is_untouched():
    assert clean(file_of(image(drawn()[0])), nobody) == Untouched(looked=True)


def test_an_image_without_pixels_is_untouched():
    dataset = image(drawn()[0])
    del dataset.PixelData
    assert clean(file_of(dataset), None) == Untouched(looked=False)


def test_without_a_reader_images_at_risk_are_held_whatever_boxes_are_known():
    dataset = image(drawn()[0], sop_class=ULTRASOUND, SequenceOfUltrasoundRegions=regions((10, 40, 149, 89)))
    outcome = clean(file_of(dataset), None)
    assert isinstance(outcome, Held)
    assert outcome.reason is Reason.PIXELS_HELD


def test_text_left_over_after_blanking_is_held(monkeypatch):
    monkeypatch.setattr(module, "blank", lambda pixels, boxes: None)
    outcome = clean(file_of(image(drawn()[0])), sees())
    assert isinstance(outcome, Held)
    assert "left over" in outcome.why


def test_without_the_second_reading_left_over_text_would_pass(monkeypatch):
    """The reverse of the test above: with reading off, nothing is noticed."""
    monkeypatch.setattr(module, "blank", lambda pixels, boxes: None)
    monkeypatch.setattr(module, "_read", lambda *_, **_quick: [])
    assert clean(file_of(image(drawn()[0])), sees()) == Untouched(looked=True)


def failing(picture):
    raise DeidentificationError("ocr", "it reads in time", reason=Reason.PIXELS_HELD)


def truncated():
    dataset = image(drawn()[0])
    dataset.PixelData = dataset.PixelData[:-200]
    return dataset


def broken_jpeg():
    dataset = jpeg(image(drawn()[0]), [drawn()[0]])
    dataset.PixelData = dataset.PixelData[:40] + b"\xff" * 60 + dataset.PixelData[100:]
    return dataset


def video():
    dataset = jpeg(image(drawn()[0]), [drawn()[0]])
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
    return dataset


def numbers():
    dataset = image(drawn()[0])
    del dataset.PixelData
    dataset.FloatPixelData = bytes(4 * ROWS * COLUMNS)
    return dataset


@pytest.mark.parametrize(("dataset", "read"), [
    (image(drawn()[0]), failing),
    (truncated(), sees()),
    (broken_jpeg(), sees()),
    (video(), sees()),
    (numbers(), sees()),
    (image(drawn()[0], Rows=60_000, Columns=60_000), sees()),
    (image(drawn()[0], photometric="PALETTE COLOR"), sees()),
    (image(drawn()[0], photometric="NONE SUCH"), sees()),
])  # fmt: skip
def test_what_cannot_be_read_or_decoded_is_held(dataset, read):
    outcome = clean(file_of(dataset), read)
    assert isinstance(outcome, Held), outcome
    assert outcome.reason is Reason.PIXELS_HELD
    assert "FERNANDEZ" not in outcome.why.upper()


@pytest.mark.parametrize("file", [b"", b"not DICOM at all", file_of(image(drawn()[0]))[:300]])
def test_what_is_no_file_is_never_passed_as_clean(file: bytes):
    assert not isinstance(clean(file, sees()), Cleaned)
    assert clean(file, sees()) != Untouched(looked=True)


def test_deflated_elements_are_not_inflated_here():
    dataset = image(drawn()[0])
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    assert isinstance(clean(file_of(dataset), sees()), Held)
