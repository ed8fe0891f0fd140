"""Where models of devices are known to draw text.

Rules:
- A row is of one manufacturer, model and size, and of one software version or any (``*``); they are compared without case and
  outer spaces.
- A row is written where somebody looked at an image of that model; what it is from stands in it.
- A site adds rows of its own (``rows_of``); they come on top, never instead. An image of which there is a row is at risk,
  whatever its header says.
- Reading goes on after these boxes: a wrong or missing row hides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from oathward.core.errors import InputError
from oathward.deid.pixels.model import Box

ANY = "*"


class Model(NamedTuple):
    """One size of images of one model; ``boxes``: (x0, y0, x1, y1), the last ones not in it.

    ``software``: one of the values of (0018,1020), or ``*``.
    """

    manufacturer: str
    model: str
    rows: int
    columns: int
    boxes: tuple[tuple[int, int, int, int], ...]
    source: str
    software: str = ANY


MODELS = (
    Model(
        "TOSHIBA",
        "Aquilion ONE",
        552,
        394,
        ((0, 0, 232, 30),),
        "a localizer of a public collection, read by eye",
    ),
    Model(
        "G.E. Medical Systems", "LOGIQ 700", 480, 640, ((0, 0, 640, 106),), "a public example, read by eye"
    ),
    Model("G.E. Medical Systems", "LOGIQ 700", 240, 320, ((0, 0, 320, 53),), "a public example, read by eye"),
    Model("Philips Medical Systems", "CX50", 350, 800, ((0, 0, 800, 58),), "a public example, read by eye"),
)
COLUMNS = 6


class Made(NamedTuple):
    """What made an image, and how large that is. ``software``: all values of (0018,1020)."""

    manufacturer: str
    model: str
    rows: int
    columns: int
    software: tuple[str, ...] = ()


def known(made: Made, more: Iterable[Model] = ()) -> tuple[Box, ...]:
    """Give the boxes known of images of this model, size and software."""
    wanted = (_same(made.manufacturer), _same(made.model), made.rows, made.columns)
    software = {_same(value) for value in (ANY, *made.software)}
    return tuple(
        Box(*box, "model")
        for row in (*MODELS, *more)
        if (_same(row.manufacturer), _same(row.model), row.rows, row.columns) == wanted
        and _same(row.software) in software
        for box in row.boxes
    )


def rows_of(text: str, where: str) -> tuple[Model, ...]:
    """Read a site's rows.

    One is: manufacturer, model, software or ``*``, rows x columns, boxes ``x0,y0,x1,y1`` set apart by spaces,
    and a source.

    Args:
        text: tab-separated lines; those that begin with ``#`` and empty ones say nothing.
        where: the file's name, for errors.

    Raises:
        InputError: a line is not of that form; names the line.
    """
    found: list[Model] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != COLUMNS or not all(field.strip() for field in fields) or not line.isascii():
            why = "manufacturer, model, software or *, rows x columns, boxes, source; in ASCII, set apart by tabs"
            raise InputError(f"{where}:{number}", why)
        maker, model, software, size, places, source = fields
        try:
            rows, columns = (int(number) for number in size.lower().split("x"))
            boxes = tuple(_box(box, rows, columns) for box in places.split())
        except ValueError as error:
            why = "rows x columns as 480x640, boxes as x0,y0,x1,y1 within them"
            raise InputError(f"{where}:{number}", why) from error
        found.append(Model(maker, model, rows, columns, boxes, source, software))
    return tuple(found)


def _box(text: str, rows: int, columns: int) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = (int(number) for number in text.split(","))
    if not (0 <= x0 < x1 <= columns and 0 <= y0 < y1 <= rows):
        raise ValueError("outside the image")
    return x0, y0, x1, y1


def _same(name: str) -> str:
    return name.strip().casefold()
