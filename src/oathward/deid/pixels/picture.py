"""Renderings of a frame in which its text can be read.

Rules:
- Several: text is light on dark or dark on light, full of contrast or nearly none, over anatomy, of any size and colour; each of
  these is read best in another rendering. A reader inverts by itself.
- A rendering is at most ``PIXELS_MAX`` large; a large image is not enlarged, text in it is large enough.

Deliberately absent: colour; where it holds text that grey does not, the strongest channel does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from oathward.deid.pixels.model import Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]
    Array = NDArray[Any]

PIXELS_MAX = 16_000_000
ENLARGED_PIXELS_MAX = {2.0: 2_500_000, 3.0: 700_000}
"""Up to how many pixels an image is read at this factor too."""

HALVED_PIXELS_MIN = 1_500_000
AROUND = 15
"""Half the side, in pixels, of the neighbourhood that local contrast is measured in: about three lines of small text."""

COLOURFUL = 48
COLOURFUL_SHARE_MIN = 0.0005
STROKE, STROKES_FACTOR, STRONGEST = 3, 2.0, (95, 99.7)
"""Half of what a stroke is at most wide, in pixels; how much it is enlarged; per cent of pixels that are weaker than what is shown,
and than what is shown white. Shown more, a reader takes a photograph's noise for a thousand words, and half a minute."""

NOISE = 0.8
CONTRAST = 80
"""Of ``local``: greys a standard deviation."""

_STANDARD_DEVIATION_MIN = 3.0


def grey_of(frame: Array) -> Grey:
    """Give a frame (rows, columns[, red green blue]) in 256 greys, its least value black and its greatest white."""
    import numpy as np

    values = frame.astype(np.float32)
    if values.ndim == 3:
        values = values @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return _stretched(values)


def renderings(
    frame: Array, window: tuple[float, float] | None, *, quick: bool
) -> Iterator[tuple[Picture, float]]:
    """Give the renderings of a frame, each with the factor it is enlarged by.

    Args:
        frame: (rows, columns) of any number, or (rows, columns, 3) as red, green, blue.
        window: least and greatest value of the display window, where the header has one.
        quick: only the two that find most; for frames that look like others that were read in full.
    """
    plain = grey_of(frame)
    factors = _factors(plain.size)
    best = factors[-1] if not quick or len(factors) == 1 else factors[1]
    for factor in (best,) if quick else factors:
        yield picture_of(resized(plain, factor)), factor
    near = local(plain)
    for factor in (best,) if quick else factors[-2:]:
        yield picture_of(resized(near, factor)), factor
    other = _other(frame, window)
    if other is not None:
        yield picture_of(resized(other, best)), best


def faint(frame: Array) -> Iterator[tuple[Picture, float]]:
    """Give the renderings that show text over anatomy; noise is shown in them too, so that short words mean nothing."""
    if STROKES_FACTOR in _factors(frame.shape[0] * frame.shape[1]):
        for drawn in strokes(frame):
            yield picture_of(resized(drawn, STROKES_FACTOR)), STROKES_FACTOR


def _factors(size: int) -> tuple[float, ...]:
    enlarged = tuple(factor for factor, most in ENLARGED_PIXELS_MAX.items() if size <= most)
    smaller = (0.5,) if size >= HALVED_PIXELS_MIN else ()
    return (*smaller, *((1.0,) if size <= PIXELS_MAX else ()), *enlarged)


def _other(frame: Array, window: tuple[float, float] | None) -> Grey | None:
    """Give what greys do not show: the strongest channel of a colourful frame, or the header's window of many greys."""
    import numpy as np

    if frame.ndim == 3:
        strongest = frame.max(axis=2)
        if np.mean(strongest.astype(np.int32) - frame.min(axis=2) > COLOURFUL) < COLOURFUL_SHARE_MIN:
            return None
        return _stretched(strongest.astype(np.float32))
    if window is None or frame.dtype.itemsize == 1:
        return None
    return _stretched(np.clip(frame.astype(np.float32), *window))


def local(grey: Grey) -> Grey:
    """Give each pixel against the mean and spread around it: faint text stands out as strong text does.

    Noise does not: neighbours are averaged first, and what lies within ``NOISE`` of the spread is shown as the mean. By
    measurement that finds more than without, and a reader that is shown noise takes three times as long.
    """
    import numpy as np

    values = _smoothed(grey.astype(np.float64))
    mean = _around(values)
    spread = np.sqrt(np.maximum(_around(values * values) - mean * mean, 0))
    away = (values - mean) / (spread + _STANDARD_DEVIATION_MIN)
    beyond = np.sign(away) * np.maximum(np.abs(away) - NOISE, 0)
    shown: Grey = np.clip(128 + CONTRAST * beyond, 0, 255).astype(np.uint8)
    return shown


def strokes(frame: Array) -> tuple[Grey, Grey]:
    """Give what is narrow and lighter than what is around it, and what is darker: text over anatomy, whatever its contrast.

    Of the numbers themselves: of 4,000 greys 30 are enough, and one pixel far from all others changes nothing.
    """
    import numpy as np

    values = frame.astype(np.float32)
    if values.ndim == 3:
        values = values @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    values = _smoothed(values)
    opened = _extreme(_extreme(values, np.minimum), np.maximum)
    closed = _extreme(_extreme(values, np.maximum), np.minimum)
    light, dark = (_stretched(_without_few(found)) for found in (values - opened, closed - values))
    return light, dark


def _without_few(values: Array) -> Array:
    """Cut to the strongest pixels, and of those the few that are strongest."""
    import numpy as np

    cut: Array = np.clip(values, *np.percentile(values, STRONGEST))
    return cut


def _extreme(values: Array, of: Any) -> Array:
    """Give the least or greatest of the square of ``STROKE`` pixels to each side."""
    import numpy as np

    for axis in (0, 1):
        around = [(STROKE, STROKE) if axis == at else (0, 0) for at in (0, 1)]
        wide, size = np.pad(values, around, mode="edge"), values.shape[axis]
        parts = (
            wide[at : at + size] if axis == 0 else wide[:, at : at + size] for at in range(2 * STROKE + 1)
        )
        values = next(parts)
        for part in parts:
            values = of(values, part)
    return values


def _smoothed(values: Array) -> Array:
    """Give each pixel a quarter of its neighbours on either side, across and down."""
    import numpy as np

    wide = np.pad(values, 1, mode="edge")
    down = (wide[:-2] + 2 * wide[1:-1] + wide[2:]) / 4
    whole: Array = (down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]) / 4
    return whole


def _around(values: Array) -> Array:
    """Give the mean of the square around each pixel, by sums of sums."""
    import numpy as np

    side = 2 * AROUND + 1
    sums = np.pad(values, (AROUND + 1, AROUND), mode="edge").cumsum(axis=0).cumsum(axis=1)
    whole: Array = (
        sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    ) / side**2
    return whole


def resized(grey: Grey, factor: float) -> Grey:
    """Enlarge by lines between pixels, or halve by means."""
    import numpy as np

    if factor == 1:
        return grey
    if factor < 1:
        rows, columns = (size // 2 * 2 for size in grey.shape)
        quarter = grey[:rows, :columns].astype(np.uint16)
        halved = quarter[::2, ::2] + quarter[1::2, ::2] + quarter[::2, 1::2] + quarter[1::2, 1::2]
        smaller: Grey = (halved // 4).astype(np.uint8)
        return smaller
    values = grey.astype(np.float32)
    for axis in (0, 1):
        size = values.shape[axis]
        at = np.clip((np.arange(int(size * factor)) + 0.5) / factor - 0.5, 0, size - 1)
        low = at.astype(np.intp)
        high = np.minimum(low + 1, size - 1)
        share = (at - low).astype(np.float32)
        share = share[:, None] if axis == 0 else share[None, :]
        values = values.take(low, axis) * (1 - share) + values.take(high, axis) * share
    return values.astype(np.uint8)


def picture_of(grey: Grey) -> Picture:
    """Put greys into the form that is read."""
    rows, columns = grey.shape
    return Picture(columns, rows, grey.tobytes())


def _stretched(values: Array) -> Grey:
    import numpy as np

    low, high = float(values.min()), float(values.max())
    scale = 255 / (high - low) if high > low else 0.0
    return ((values - low) * scale).astype(np.uint8)
