"""Generated images with text burned in: nobody's, of any kind of DICOM pixels."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from oathward.deid.pixels.model import Picture, Word

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
NAMES = ("FERNANDEZ", "Lindqvist", "O'BRIEN", "Marchetti", "KOWALSKI", "Abernathy", "DELACROIX", "Svensson")


@dataclass(frozen=True)
class Planted:
    """One text in an image: what it says, and which of its pixels it changed (rows, columns)."""

    text: str
    ink: Any


def anatomy(rows: int, columns: int, seed: int) -> Any:
    """Draw what looks like a slice: an ellipse with noise and blobs on a dark ground, 0 to 255."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:columns]
    ground = chance.normal(12, 3, (rows, columns))
    for _ in range(14):
        cy, cx = chance.uniform(0.3, 0.75) * rows, chance.uniform(0.25, 0.75) * columns
        a, b = chance.uniform(0.05, 0.22) * rows, chance.uniform(0.05, 0.22) * columns
        ground += chance.uniform(10, 60) * np.exp(-((((y - cy) / a) ** 2 + ((x - cx) / b) ** 2) ** 2))
    inside = ((y - rows * 0.52) / (rows * 0.4)) ** 2 + ((x - columns / 2) / (columns * 0.42)) ** 2 < 1
    ground += inside * (60 + chance.normal(0, 9, (rows, columns)))
    return np.clip(ground, 0, 255).astype(np.uint8)


def write(grey: Any, text: str, x: int, y: int, size: int, value: Any) -> Planted:
    """Write a text into an array (rows, columns[, 3]) and give what it changed."""
    rows, columns = grey.shape[:2]
    mask = Image.new("L", (columns, rows))
    ImageDraw.Draw(mask).text((x, y), text, fill=255, font=ImageFont.load_default(size))
    share = np.asarray(mask, dtype=np.float32) / 255
    ink = share > 0.5
    part = share[..., None] if grey.ndim == 3 else share
    grey[...] = (grey * (1 - part) + np.asarray(value, dtype=np.float32) * part).astype(grey.dtype)
    return Planted(text, ink)


def lines_of(chance: random.Random) -> str:
    """Make up a line as devices burn them in."""
    name = chance.choice(NAMES)
    number = chance.randrange(1_000_000, 9_999_999)
    date = f"{chance.randrange(1, 28):02d}.{chance.randrange(1, 12):02d}.{chance.randrange(1930, 2015)}"
    return chance.choice(
        (f"{name} {number}", f"DOB: {date} {name}", f"{name}, Anna [F]", f"ID {number}", date)
    )


def image(
    pixels: Any,
    *,
    sop_class: str = SECONDARY_CAPTURE,
    photometric: str = "MONOCHROME2",
    frames: int = 0,
    **attributes: Any,
) -> Dataset:
    """Make a data set of pixels ([frames,] rows, columns[, samples]); more attributes by keyword."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = sop_class
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid(None)
    made.PatientName, made.PatientID, made.Modality = "Fernandez^Anna", "4711", "OT"
    shape = pixels.shape[1:] if frames else pixels.shape
    made.Rows, made.Columns = shape[:2]
    made.SamplesPerPixel = shape[2] if len(shape) == 3 else 1
    if made.SamplesPerPixel > 1:
        made.PlanarConfiguration = 0
    if frames:
        made.NumberOfFrames = frames
    made.PhotometricInterpretation = photometric
    made.BitsAllocated = made.BitsStored = pixels.dtype.itemsize * 8
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    data = pixels.tobytes()
    made.PixelData = data + b"\0" * (len(data) % 2)
    made["PixelData"].VR = "OB" if made.BitsAllocated <= 8 else "OW"
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def regions(*rectangles: tuple[int, int, int, int]) -> Sequence:
    """Make (0018,6011) of (x0, y0, x1, y1), bounds included."""
    items = []
    for x0, y0, x1, y1 in rectangles:
        item = Dataset()
        item.RegionLocationMinX0, item.RegionLocationMinY0 = x0, y0
        item.RegionLocationMaxX1, item.RegionLocationMaxY1 = x1, y1
        items.append(item)
    return Sequence(items)


def jpeg(dataset: Dataset, frames: Iterable[Any], *, quality: int = 90) -> Dataset:
    """Compress 8-bit frames as JPEG baseline, as cameras and ultrasound devices do."""
    coded = []
    for frame in frames:
        out = BytesIO()
        Image.fromarray(frame).save(out, "JPEG", quality=quality)
        coded.append(out.getvalue())
    dataset.PixelData = encapsulate(coded)
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.50"
    if dataset.SamplesPerPixel == 3:
        dataset.PhotometricInterpretation = "YBR_FULL_422"
    return dataset


def file_of(dataset: Dataset, **how: Any) -> bytes:
    """Write a data set as a file."""
    out = BytesIO()
    dcmwrite(out, dataset, enforce_file_format=True, **how)
    return out.getvalue()


class Sees:
    """Reads one place of a picture, as long as anything stands there: what a reader does, without one."""

    def __init__(self, text: str, box: tuple[int, int, int, int], columns: int) -> None:
        self.text, self.box, self.columns, self.reads = text, box, columns, 0

    def __call__(self, picture: Picture) -> list[Word]:
        """Give the word while its place is not even."""
        self.reads += 1
        factor = picture.columns / self.columns
        if factor not in (0.5, 1, 2, 3):
            return []  # the image was turned, and its sides differ
        x0, y0, x1, y1 = (round(at * factor) for at in self.box)
        grey = np.frombuffer(picture.grey, dtype=np.uint8).reshape(picture.rows, picture.columns)[
            y0:y1, x0:x1
        ]
        return [Word(self.text, x0, y0, x1, y1, 0.95)] if int(grey.max()) - int(grey.min()) > 40 else []


def nobody(picture: Picture) -> list[Word]:
    """Read nothing."""
    return []
