"""What is read in an image, what is blanked there, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from oathward.core.reasons import Reason


class Box(NamedTuple):
    """A rectangle that is blanked in every frame.

    Args:
        x0, y0, x1, y1: columns and rows from 0, the last ones not in it.
        how: ``region`` (outside the ultrasound regions), ``model`` (what that model draws), or ``ocr``.
        sure: 0 to 1; of ``ocr`` how sure the reading was, else 1.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    how: str
    sure: float = 1.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendering of a frame to read: one byte a pixel, rows from the top, 0 black."""

    columns: int
    rows: int
    grey: bytes


class Word(NamedTuple):
    """A word that was read: where, in pixels of what was given, and how sure, 0 to 1."""

    text: str
    x0: int
    y0: int
    x1: int
    y1: int
    sure: float


Read = Callable[[Picture], Sequence[Word]]
"""Reads a picture. Raises ``DeidentificationError`` where it cannot; the image is held then."""


@dataclass(frozen=True, slots=True)
class Untouched:
    """The pixels may leave as they are. ``looked``: the image was at risk, and nothing but markers could be read in it."""

    looked: bool


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The whole file anew, explicit VR little endian, with blanked pixels; its other attributes are as they were.

    Whoever shapes the header says that pixels are clean (``protocols/dicom/rewrite``), and keeps the lossy attributes. No
    boxes: only what stood above the stored bits is gone.
    """

    file: bytes
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """The image may not leave. ``why``: in words, never a value."""

    why: str
    reason: Reason = Reason.PIXELS_HELD


Outcome = Untouched | Cleaned | Held
