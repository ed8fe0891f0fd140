"""The mapping tables, as they are written: facts of the published maps, one row each.

Rules:
- A table is tab-separated; lines that begin with ``#`` say what its columns are and where its rows come from.
- Both directions read the same rows. What no row names is in ``losses.tsv``, with its reason.

Deliberately absent: any reading of a row's words (``engine``, ``paths``, ``codes``, ``units`` do that).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple


def rows(name: str, columns: int) -> Iterator[list[str]]:
    """Give the rows of one table, each filled up to ``columns`` cells."""
    for line in (files(__package__) / name).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            cells = line.split("\t")
            yield cells + [""] * (columns - len(cells))


def header(name: str) -> list[str]:
    """Give what the head of a table says, line by line."""
    lines = (files(__package__) / name).read_text("utf-8").splitlines()
    return [line.removeprefix("#").strip() for line in lines if line.startswith("#")]


@cache
def extensions() -> dict[str, str]:
    """Map the short name of an extension to its URL."""
    return dict(rows("extensions.tsv", 2))


class Event(NamedTuple):
    """What a message type says.

    Args:
        status: of the visit; empty where PV1 says it.
        prior: what MRG names: ``merge``, ``visit`` or nothing.
        link: type of the link between its two patients.
        mentioned: types of resources that it names and is not about.
    """

    status: str
    prior: str
    link: str
    mentioned: frozenset[str]


@cache
def events() -> dict[str, Event]:
    """Map message type to what it says."""
    return {
        name: Event(status, prior, link, frozenset(mentioned.split()))
        for name, status, prior, link, mentioned in rows("events.tsv", 5)
    }


@cache
def forward(table: str) -> dict[str, tuple[str, str]]:
    """Map the codes of an HL7 table to (FHIR code, system)."""
    return {code: (other, system) for name, code, other, system, _ in rows("codes.tsv", 5) if name == table}


@cache
def back(table: str) -> dict[str, str]:
    """Map FHIR codes to the one code of an HL7 table that comes back."""
    return {other: code for name, code, other, _, first in rows("codes.tsv", 5) if name == table and first}
