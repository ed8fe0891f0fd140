"""Blank what is burned into an image, or say why it may not leave.

Rules, in this order:
1. Not at risk: not touched. No pixels: nothing to do.
2. At risk, and nobody here can read: held, whatever boxes are known.
3. Boxes that are known without reading (outside the regions, by model) are blanked first.
4. Of several frames, the greatest and the least of each pixel over all of them are read first, in full, and turned for what
   runs upwards or downwards; then each frame in the two renderings that find most. A frame that equals another is not read.
5. What is found is blanked in every frame at once, and what it was found in is read again, until nothing is found or it
   was enough rounds: held. What stands in all frames is gone before each is read, so that most are read once.
6. Nothing blanked, and no overlay above the stored bits: the file stays as it is, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from oathward.core.errors import DeidentificationError
from oathward.deid.pixels.frames import Frames, colours, decode, opened, window_of, written
from oathward.deid.pixels.lines import is_long, settled, text_boxes
from oathward.deid.pixels.model import Box, Cleaned, Held, Outcome, Picture, Read, Untouched, Word
from oathward.deid.pixels.models import Made, Model, known
from oathward.deid.pixels.picture import faint, grey_of, renderings
from oathward.deid.pixels.regions import Rectangle, outside
from oathward.deid.pixels.risk import Header, signs_of

if TYPE_CHECKING:
    from pydicom import Dataset

    from oathward.deid.pixels.picture import Array

ROUNDS_MAX = 4
USUAL_OF = 4_096
"""Of about so many pixels of a box the most usual value is taken."""

FRAMES_READ_MAX = 400
OVERLAYS = range(0x6000, 0x6020, 2)


def clean(
    file: bytes | Dataset,
    read: Read | None,
    *,
    models: Iterable[Model] = (),
    every: bool = False,
    overlaid: bool = False,
) -> Outcome:
    """Clean the pixels of one image.

    Args:
        file: a whole file, or what pydicom made of it; that is changed.
        read: reads print; None where nothing here can.
        models: a site's own boxes.
        every: read images too of which no header says that they are at risk.
        overlaid: bits above (0028,0101) are used: write them anew, without, though nothing else is found.
    """
    try:
        dataset = opened(file) if isinstance(file, bytes) else file
        header = header_of(dataset)
        models = tuple(models)
        at_risk = overlaid or known(made_by(dataset), models) or signs_of(header)
        if not has_pixels(dataset) or not (every or at_risk):
            return Untouched(looked=False)
        if read is None:
            return Held("at risk of burned-in text, and no program here reads it")
        if "PixelData" not in dataset:
            return Held("at risk of burned-in text, and of numbers that are no picture")
        frames = decode(dataset)
        boxes = _blanked(dataset, frames, read, models)
        if not (boxes or overlaid or header.overlay_bits):
            return Untouched(looked=True)
        return Cleaned(written(dataset, frames), boxes)
    except DeidentificationError as error:
        return Held(error.why, error.reason)


def has_pixels(dataset: Dataset) -> bool:
    """Say whether there are any pixels."""
    return any(
        name in dataset and dataset[name].value
        for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData", "PixelDataProviderURL")
    )


def header_of(dataset: Dataset) -> Header:
    """Take what the decision looks at out of a data set."""

    def text(name: str) -> str:
        return str(dataset.get(name) or "").strip()

    image_type = dataset.get("ImageType") or ()
    return Header(
        sop_class=text("SOPClassUID"),
        modality=text("Modality"),
        image_type=(image_type,)
        if isinstance(image_type, str)
        else tuple(str(value) for value in image_type),
        burned_in=text("BurnedInAnnotation"),
        conversion_type=text("ConversionType"),
        photometric=text("PhotometricInterpretation"),
        bits_stored=_whole(dataset.get("BitsStored")),
        regions=len(dataset.get("SequenceOfUltrasoundRegions") or ()),
        overlay_bits=any(_whole(dataset.get((group, 0x0102), None)) for group in OVERLAYS),
    )


def made_by(dataset: Dataset) -> Made:
    """Take what made an image out of a data set."""
    software = dataset.get("SoftwareVersions") or ()
    return Made(
        str(dataset.get("Manufacturer") or ""),
        str(dataset.get("ManufacturerModelName") or ""),
        _whole(dataset.get("Rows")),
        _whole(dataset.get("Columns")),
        (software,) if isinstance(software, str) else tuple(str(value) for value in software),
    )


def regions_of(dataset: Dataset) -> list[Rectangle]:
    """Take the ultrasound regions out of a data set; one that lacks a bound counts as nowhere."""
    found: list[Rectangle] = []
    for item in dataset.get("SequenceOfUltrasoundRegions") or ():
        bounds = [item.get(f"RegionLocation{name}") for name in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
        if all(isinstance(bound, int) for bound in bounds):
            x0, y0, x1, y1 = bounds
            found.append((x0, y0, x1 + 1, y1 + 1))
    return found


def _blanked(dataset: Dataset, frames: Frames, read: Read, models: tuple[Model, ...]) -> tuple[Box, ...]:
    """Blank, read and blank again; give all boxes.

    Raises:
        DeidentificationError: ``deid.pixels-held``: text is left over, or it could not be read.
    """
    pixels = frames.pixels
    rows, columns = pixels.shape[1:3]
    boxes = [*outside(regions_of(dataset), columns, rows), *known(made_by(dataset), models)]
    blank(pixels, boxes)
    if len(pixels) > FRAMES_READ_MAX:
        raise _left("at most 400 frames to read")
    window, several = window_of(dataset), len(pixels) > 1
    distinct = _distinct(pixels)

    def shown(numbers: Sequence[int]) -> Iterator[Array]:
        for number in numbers:
            yield colours(pixels[number], frames.photometric, dataset)

    def emptied(pictures: Callable[[], Iterable[Array]], *, quick: bool) -> list[Box]:
        made: list[Box] = []
        for _ in range(ROUNDS_MAX):
            found = _read(pictures(), window, read, quick=quick)
            if not found:
                return made
            blank(pixels, found)
            made += found
        raise _left("no text left over after it was blanked")

    if several:
        boxes += emptied(lambda: _extremes(shown(distinct)), quick=False)
    for number in distinct:
        boxes += emptied(partial(shown, (number,)), quick=several)
    return settled(boxes)


def _read(
    frames: Iterable[Array], window: tuple[float, float] | None, read: Read, *, quick: bool
) -> list[Box]:
    """Read frames in all their renderings and give what is text in them."""
    import numpy as np

    boxes: list[Box] = []
    for frame in frames:
        words = _words(read, renderings(frame, window, quick=quick))
        if not quick:
            words += [word for word in _words(read, faint(frame)) if is_long(word.text)]
        boxes += text_boxes(words, grey_of(frame))
        for quarters in () if quick else (1, 3):
            turned = np.rot90(frame, quarters)
            words = [
                word for word in _words(read, renderings(turned, window, quick=True)) if is_long(word.text)
            ]
            boxes += [_upright(box, frame, quarters) for box in text_boxes(words, grey_of(turned))]
    return boxes


def _upright(box: Box, frame: Array, quarters: int) -> Box:
    """Give where a box of a frame that was turned counterclockwise is in the frame; ``quarters``: one or three."""
    rows, columns = frame.shape[:2]
    x0, y0, x1, y1, how, sure = box
    if quarters == 1:
        return Box(columns - y1, x0, columns - y0, x1, how, sure)
    return Box(y0, rows - x1, y1, rows - x0, how, sure)


def _words(read: Read, pictures: Iterable[tuple[Picture, float]]) -> list[Word]:
    return [_scaled(word, factor) for picture, factor in pictures for word in read(picture)]


def _scaled(word: Word, factor: float) -> Word:
    at = [round(value / factor) for value in word[1:5]]
    return Word(word.text, at[0], at[1], at[2], at[3], word.sure)


def _distinct(pixels: Array) -> list[int]:
    """Give the numbers of the frames of which none equals another."""
    from hashlib import blake2b

    first: dict[bytes, int] = {}
    for number, frame in enumerate(pixels):
        first.setdefault(blake2b(frame.tobytes()).digest(), number)
    return list(first.values())


def _extremes(frames: Iterator[Array]) -> list[Array]:
    """Give the greatest and the least of each pixel over all frames."""
    import numpy as np

    greatest = next(frames).copy()
    least = greatest.copy()
    for frame in frames:
        np.maximum(greatest, frame, out=greatest)
        np.minimum(least, frame, out=least)
    return [greatest, least]


def blank(pixels: Any, boxes: Iterable[Box]) -> None:
    """Put into each box, in every frame, the value that is most usual in it: the background there.

    Args:
        pixels: (frames, rows, columns[, samples]); changed. Whole pixels are compared, so the colour space does not matter.
    """
    import numpy as np

    for box in boxes:
        for frame in pixels:
            part = frame[box.y0 : box.y1, box.x0 : box.x1]
            whole = part.reshape(-1, *part.shape[2:])
            some = whole[:: len(whole) // USUAL_OF + 1]
            values, counts = np.unique(some, axis=0, return_counts=True)
            part[...] = values[counts.argmax()]


def _left(why: str) -> DeidentificationError:
    from oathward.core.reasons import Reason

    return DeidentificationError("pixels", why, reason=Reason.PIXELS_HELD)


def _whole(value: Any) -> int:
    """Give a number; 0 where it is none."""
    value = getattr(value, "value", value)
    return value if isinstance(value, int) else 0
