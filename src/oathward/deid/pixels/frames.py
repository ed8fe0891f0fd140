"""The pixels of a DICOM image as an array, and back into a file.

Rules:
- Pixels that lie as they are, or under RLE, keep their colour space: what is not blanked is the same value as before. Others
  are decoded to what pydicom makes of them (RGB or grey) and written so.
- Bits above (0028,0101) are cleared: overlays were kept there, with text in them.
- Frames beyond (0028,0008), padding and icons do not go on.
- How large it will be is known, and bounded, before anything is decoded. Moving pictures (MPEG, HEVC) are not decoded.

Deliberately absent: compressing again. It would be lossy, or another encoder's bugs.

Source: DICOM PS3.3 C.7.6.3, C.7.6.1.1.2 and .5 (lossy), C.12.1.1.5; PS3.5 section 8 and Annex A.4; PS3.15 E.3.1.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from pydicom import Dataset

    from oathward.deid.pixels.picture import Array

FILE_BYTES_MAX = 2 << 30
DECODED_BYTES_MAX = 1 << 30
RLE = "1.2.840.10008.1.2.5"
DEFLATED = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.8.1")
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
LOSSY = {
    "1.2.840.10008.1.2.4.50": "ISO_10918_1",
    "1.2.840.10008.1.2.4.51": "ISO_10918_1",
    "1.2.840.10008.1.2.4.81": "ISO_14495_1",
    "1.2.840.10008.1.2.4.91": "ISO_15444_1",
    "1.2.840.10008.1.2.4.93": "ISO_15444_1",
    "1.2.840.10008.1.2.4.203": "ISO_15444_15",
}
"""Transfer syntax -> (0028,2114). Source: PS3.3 C.7.6.1.1.5.1; PS3.5 A.4. JPEG 2000 (.91) may be without loss: said lossy."""

DERIVATION = "Burned-in text blanked"
GONE = (
    *("IconImageSequence", "PixelDataProviderURL", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *("SmallestImagePixelValue", "LargestImagePixelValue"),
)
"""What was of the pixels as they were."""

UNREADABLE = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RuntimeError,  # NotImplementedError and RecursionError too
    ArithmeticError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What pydicom and the decoders it calls raise over pixels and elements that are not what they say."""


@dataclass(slots=True)
class Frames:
    """``pixels``: (frames, rows, columns[, samples]), as stored. ``photometric``: (0028,0004) of them."""

    pixels: Array
    photometric: str


def opened(file: bytes) -> Dataset:
    """Parse a whole file.

    Raises:
        DeidentificationError: ``deid.pixels-held``: it is not a DICOM file, or deflated: whoever inflates it bounds that.
    """
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    if len(file) > FILE_BYTES_MAX:
        raise _held("a file of at most 2 GiB")
    if _syntax(file) in DEFLATED:
        raise _held("elements that are not deflated")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dcmread(BytesIO(file))
    except (InvalidDicomError, *UNREADABLE) as error:
        raise _held("a DICOM file") from error


def _syntax(file: bytes) -> str:
    """Give (0002,0010) of a file, before anything of it is inflated; empty where there is none.

    Source: PS3.10 section 7.1: group 0002 is explicit VR little endian, in order.
    """
    at = 132
    while file[at : at + 2] == b"\x02\x00" and at + 12 <= len(file):
        long = file[at + 4 : at + 6] in {b"OB", b"UN", b"SQ", b"OW", b"UT"}
        begin = at + (12 if long else 8)
        length = int.from_bytes(file[at + 8 : begin] if long else file[at + 6 : begin], "little")
        if file[at + 2 : at + 4] == b"\x10\x00":
            return file[begin : begin + length].decode("ascii", "replace").rstrip("\0 ")
        at = begin + length
    return ""


def decode(dataset: Dataset) -> Frames:
    """Decode all frames.

    Raises:
        DeidentificationError: ``deid.pixels-held``: they cannot be decoded, or would be too large.
    """
    import numpy as np
    from pydicom.pixels.decoders.base import get_decoder

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            syntax = dataset.file_meta.TransferSyntaxUID
            if decoded_bytes(dataset) > DECODED_BYTES_MAX:
                raise _held("at most 1 GiB of pixels")
            native = not syntax.is_compressed or syntax == RLE
            array, meta = get_decoder(syntax).as_array(dataset, raw=native)
            pixels = np.array(array)  # ours: writeable, and in this machine's byte order
            if not str(meta["photometric_interpretation"]):
                raise _held("a photometric interpretation")
            if int(dataset.get("NumberOfFrames") or 1) == 1:
                pixels = pixels[None]
            return Frames(_without_high_bits(pixels, dataset), str(meta["photometric_interpretation"]))
    except UNREADABLE as error:
        raise _held("pixels that can be decoded here") from error


def decoded_bytes(dataset: Dataset) -> int:
    """Give how large the pixels will be, by the header."""
    samples = int(dataset.SamplesPerPixel) * int(dataset.get("NumberOfFrames") or 1)
    return int(dataset.Rows) * int(dataset.Columns) * samples * max(8, int(dataset.BitsAllocated)) // 8


def colours(frame: Array, photometric: str, dataset: Dataset) -> Array:
    """Give one frame as grey (rows, columns), or as red, green and blue (rows, columns, 3).

    Raises:
        DeidentificationError: ``deid.pixels-held``: a palette or colour space that cannot be resolved.
    """
    from pydicom.pixels.processing import apply_color_lut, convert_color_space

    try:
        if photometric == "PALETTE COLOR":
            return apply_color_lut(frame, dataset)[..., :3]
        if photometric.startswith("YBR"):
            return convert_color_space(frame, photometric, "RGB")
    except UNREADABLE as error:
        raise _held("colours that can be resolved") from error
    return frame


def window_of(dataset: Dataset) -> tuple[float, float] | None:
    """Give least and greatest stored value of the first display window; None where there is none that can be used."""
    try:
        centre, width, slope, intercept = (
            float(value[0] if isinstance(value, Sequence) and not isinstance(value, str) else value)
            for value in (
                dataset.get("WindowCenter"),
                dataset.get("WindowWidth"),
                dataset.get("RescaleSlope", 1),
                dataset.get("RescaleIntercept", 0),
            )
        )
    except (TypeError, ValueError, LookupError):
        return None
    if slope <= 0 or width < 1:
        return None
    return (centre - width / 2 - intercept) / slope, (centre + width / 2 - intercept) / slope


def written(dataset: Dataset, frames: Frames) -> bytes:
    """Write the file anew around its pixels, explicit VR little endian, and say in it what was done.

    Raises:
        DeidentificationError: ``deid.pixels-held``: an element that cannot be written.
    """
    from pydicom import dcmwrite
    from pydicom.uid import UID

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _say(dataset, frames)
            dataset.file_meta.TransferSyntaxUID = UID(EXPLICIT_LITTLE)
            dataset.preamble = bytes(128)
            out = BytesIO()
            dcmwrite(out, dataset, implicit_vr=False, little_endian=True, enforce_file_format=True)
            return out.getvalue()
    except UNREADABLE as error:
        raise _held("elements that can be written") from error


def _say(dataset: Dataset, frames: Frames) -> None:
    """Set the attributes of the image that its new pixels ask for."""
    from pydicom.pixels.utils import pack_bits

    syntax, pixels = str(dataset.file_meta.TransferSyntaxUID), frames.pixels
    if syntax in LOSSY and not dataset.get("LossyImageCompressionMethod"):
        dataset.LossyImageCompressionMethod = LOSSY[syntax]
    if syntax in LOSSY:
        dataset.LossyImageCompression = "01"
        if not dataset.get("LossyImageCompressionRatio"):
            dataset.LossyImageCompressionRatio = (
                f"{max(1.0, pixels.nbytes / max(1, len(dataset.PixelData))):.2f}"
            )
    if dataset.BitsAllocated == 1:
        data = pack_bits(pixels)
    else:
        data = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
        dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.PhotometricInterpretation = frames.photometric
    if pixels.ndim == 4:
        dataset.PlanarConfiguration = 0
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"
    dataset["PixelData"].is_undefined_length = False
    dataset.BurnedInAnnotation = "NO"
    dataset.DerivationDescription = DERIVATION
    values = list(dataset.get("ImageType") or ("ORIGINAL", "PRIMARY"))
    dataset.ImageType = ["DERIVED", *values[1:]]
    for gone in GONE:
        dataset.pop(gone, None)


def _without_high_bits(pixels: Array, dataset: Dataset) -> Array:
    """Clear the bits that are no part of the value; of signed ones, as its sign.

    Raises:
        DeidentificationError: ``deid.pixels-held``: the value is not in the lowest bits.
    """
    if dataset.get("HighBit", dataset.BitsStored - 1) != dataset.BitsStored - 1:
        raise _held("(0028,0102) one less than (0028,0101)")
    allocated, stored = pixels.dtype.itemsize * 8, int(dataset.BitsStored)
    if pixels.dtype.kind not in "iu" or not 0 < stored < allocated or dataset.BitsAllocated == 1:
        return pixels
    if pixels.dtype.kind == "u":
        return pixels & ((1 << stored) - 1)
    return (pixels << (allocated - stored)) >> (allocated - stored)


def _held(why: str) -> DeidentificationError:
    return DeidentificationError("pixels", why, reason=Reason.PIXELS_HELD)
