"""Which of the words that were read are text that goes, and how far it reaches.

Rules:
- Readings of several renderings that lie on each other are one *place*. Edges and noise are read as short words, each time
  as others; text is read as the same, or surely.
- A place is *text*, a *marker* (``markers``), or *unsure*. Unsure ones and markers go where they stand in a line with text.
- Text goes with all the ink around it in its line: a word that was read in part goes whole.

Deliberately absent: knowing what a word says of whom; what is not a marker goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from oathward.deid.pixels.markers import is_marker, is_nothing
from oathward.deid.pixels.model import Box, Word

if TYPE_CHECKING:
    from oathward.deid.pixels.picture import Grey

SURE = {2: 0.85, 3: 0.7, 4: 0.7}
SURE_LONG = 0.6
SURE_DIGITS = 0.5
DIGITS_MIN, LONG_MIN = 4, 5
SURE_AGAIN = 0.4
ALIKE = 0.6
GAP_LINE_HEIGHTS = 1.5
"""Words of one line are at most this far apart, in heights of the line."""

GAP_INK_HEIGHTS = 0.9
REACH_HEIGHTS = 12
HEIGHTS_OF_A_LINE = 2.5
HEIGHT_MIN = 4
SHARE_OF_HEIGHT_MAX = 0.25
CONTRAST_MIN = 24


@dataclass(slots=True)
class Place:
    """Readings that lie on each other."""

    words: list[Word]

    @property
    def best(self) -> Word:
        """The surest reading; of its place others may have taken noise for a part."""
        return max(self.words, key=lambda word: word.sure)


def text_boxes(words: Iterable[Word], grey: Grey) -> tuple[Box, ...]:
    """Give what is to be blanked.

    Args:
        words: of all renderings of a frame, in its own pixels.
        grey: the frame.
    """
    rows, columns = grey.shape
    places = _places([word for word in words if _fits(word, rows)])
    text = [place for place in places if is_text(place)]
    rest = [place for place in places if place not in text]
    beside = [place for place in rest if any(_in_line(place.best, other.best) for other in text)]
    return settled(_grown(place, grey, rows, columns) for place in (*text, *beside))


def settled(boxes: Iterable[Box]) -> tuple[Box, ...]:
    """Leave out boxes that lie in another."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: (-(box.x1 - box.x0) * (box.y1 - box.y0), -box.sure)):
        if not any(o.x0 <= box.x0 and o.y0 <= box.y0 and box.x1 <= o.x1 and box.y1 <= o.y1 for o in kept):
            kept.append(box)
    return tuple(kept)


def is_text(place: Place) -> bool:
    """Say whether a place holds text that goes by itself."""
    readings = [word for word in place.words if not is_marker(word.text)]
    marked = max((word.sure for word in place.words if is_marker(word.text)), default=0.0)
    if marked >= max((word.sure for word in readings), default=0.0):
        return False
    return any(_surely(word) for word in readings) or _again(readings)


def is_long(text: str) -> bool:
    """Say whether a word is longer than what noise is read as."""
    return sum(map(str.isalnum, text)) >= LONG_MIN or sum(map(str.isdigit, text)) >= DIGITS_MIN


def _surely(word: Word) -> bool:
    letters = [char for char in word.text if char.isalnum()]
    digits = sum(char.isdigit() for char in letters)
    if digits >= DIGITS_MIN and word.sure >= SURE_DIGITS:
        return True
    if len(letters) < 2 or (len(letters) == 2 and not digits and not word.text.isupper()):
        return False
    return word.sure >= SURE.get(len(letters), SURE_LONG)


def _again(readings: Sequence[Word]) -> bool:
    """Say whether two renderings gave nearly the same word of three characters or more."""
    usable = [
        word
        for word in readings
        if sum(char.isalnum() for char in word.text) >= 3 and word.sure >= SURE_AGAIN
    ]
    return any(
        SequenceMatcher(None, one.text.lower(), other.text.lower()).ratio() >= ALIKE
        for number, one in enumerate(usable)
        for other in usable[number + 1 :]
    )


def _fits(word: Word, rows: int) -> bool:
    height = word.y1 - word.y0
    return HEIGHT_MIN <= height <= max(64, rows * SHARE_OF_HEIGHT_MAX) and not is_nothing(word.text)


def _places(words: Sequence[Word]) -> list[Place]:
    places: list[Place] = []
    for word in sorted(words, key=lambda word: -word.sure):
        for place in places:
            if _overlap(word, place.best) >= 0.5:
                place.words.append(word)
                break
        else:
            places.append(Place([word]))
    return places


def _overlap(one: Word, other: Word) -> float:
    """Give how much of the smaller one lies in the other, 0 to 1."""
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    down = min(one.y1, other.y1) - max(one.y0, other.y0)
    smaller = min((one.x1 - one.x0) * (one.y1 - one.y0), (other.x1 - other.x0) * (other.y1 - other.y0))
    return across * down / smaller if across > 0 and down > 0 and smaller else 0.0


def _in_line(one: Word, other: Word) -> bool:
    """Say whether two words are of about the same height, level with each other, and no wider apart than words are."""
    low, high = sorted((one.y1 - one.y0, other.y1 - other.y0))
    down = min(one.y1, other.y1) - max(one.y0, other.y0)
    gap = max(one.x0, other.x0) - min(one.x1, other.x1)
    return high <= HEIGHTS_OF_A_LINE * low and down >= 0.5 * low and gap <= GAP_LINE_HEIGHTS * high


def _grown(place: Place, grey: Grey, rows: int, columns: int) -> Box:
    """Give the box of a word, with what ink goes on beside it, and a margin."""
    _, x0, y0, x1, y1, sure = place.best
    x0, x1 = _with_ink(grey, (max(0, x0), max(0, y0), min(columns, x1), min(rows, y1)))
    margin = max(2, round(0.2 * (y1 - y0)))
    box = (max(0, x0 - margin), max(0, y0 - margin), min(columns, x1 + margin), min(rows, y1 + margin))
    return Box(*box, "ocr", round(sure, 3))


def _with_ink(grey: Grey, box: tuple[int, int, int, int]) -> tuple[int, int]:
    """Give the columns that the line of a word reaches over: while ink of its kind goes on, without a gap as wide as a word's.

    Ink: what differs from the background of the box (its most usual value) as its strongest pixels do. Beyond the box the
    background must go on too, else this is anatomy.
    """
    import numpy as np

    x0, y0, x1, y1 = box
    band = grey[y0:y1].astype(np.int16)
    if x1 <= x0 or not band.size:
        return x0, x1
    usual = int(np.bincount(grey[y0:y1, x0:x1].ravel(), minlength=256).argmax())
    away = np.abs(band - usual)
    contrast = int(np.percentile(away[:, x0:x1], 95))
    if contrast < CONTRAST_MIN:
        return x0, x1
    ink = (away > contrast * 0.6).mean(axis=0)
    flat = (away < contrast * 0.4).mean(axis=0)
    height = y1 - y0
    return x0 - _reach(ink[:x0][::-1], flat[:x0][::-1], height), x1 + _reach(ink[x1:], flat[x1:], height)


def _reach(ink: Any, flat: Any, height: int) -> int:
    """Count the columns from an edge on that belong to the line."""
    reached = 0
    gap = max(3, round(GAP_INK_HEIGHTS * height))
    for at in range(min(len(ink), REACH_HEIGHTS * height)):
        if at - reached > gap or flat[at] < 0.2:
            break
        if ink[at] > 0.05:
            reached = at + 1
    return reached
