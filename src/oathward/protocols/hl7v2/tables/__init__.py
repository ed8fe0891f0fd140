"""The tables of HL7 v2.3 to v2.8.2: fields of segments, components of datatypes, what has been reviewed.

Rules:
- ``segments.tsv`` and ``datatypes.tsv`` are facts, written by ``scripts/hl7v2_tables.py``; ``reviewed.tsv`` is
  our own judgement, written by hand, with a source on every row.
- A cell holds the datatypes of all versions, ``/`` between them; ``-`` where no version says.

Deliberately absent: names and descriptions of fields, optionality, lengths.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

Cells = tuple[tuple[str, ...], ...]


def rows(name: str) -> Iterator[list[str]]:
    """Give the rows of one table, comments left out."""
    for line in (files(__package__) / name).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


@cache
def segments() -> dict[str, Cells]:
    """Map segment name to the datatypes of its fields, field 1 first; an empty tuple where nobody says."""
    return {name: _cells(line) for name, _, line in rows("segments.tsv")}


@cache
def datatypes() -> dict[str, Cells]:
    """Map composite datatype to the datatypes of its components, component 1 first."""
    return {name: _cells(line) for name, line in rows("datatypes.tsv")}


@cache
def versions() -> dict[str, str]:
    """Map segment name to the versions that have it, as ``2.3-2.8.2``."""
    return {name: span for name, span, _ in rows("segments.tsv")}


def _cells(line: str) -> Cells:
    return tuple(() if cell == "-" else tuple(cell.split("/")) for cell in line.split(" "))
