"""What follows from what is said of an endpoint: never stronger than what it follows from; of a guess nothing does. Pure.

| from | follows | how |
|---|---|---|
| ``udi`` | ``udi-di`` | read out of the UDI (``di_of``) |
| ``udi-di`` | ``make``, ``model``, ``gmdn``, ``fda-code``, ``fda-class``, ``mri`` | the device catalogue, where it has it |
| ``type`` | ``fda-code``, ``fda-class``, ``criticality``, ``consequence``, ``stores-phi`` | what is usual for the type (``types``): weak |
| ``os`` | ``os-end`` | the table of ``life`` |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from oathward.core.errors import InputError
from oathward.discovery import udi
from oathward.endpoints.attributes import INFERRED
from oathward.endpoints.life import end_of
from oathward.endpoints.model import AttributeRow, CatalogueRow
from oathward.endpoints.types import TYPES, type_of

_ANY_YEAR = 2000  # a device identifier has no date
SOURCE = "derived"
USUAL = 0.3
"""Confidence of what is usual for a type."""

CATALOGUE = 0.9
"""Confidence of what the device catalogue says of a UDI-DI; at most that of the UDI itself."""


def di_of(text: str) -> str:
    """Read the device identifier out of a UDI as it is written on a device; empty where it is none."""
    try:
        return udi.parse(text, _ANY_YEAR).di
    except InputError:
        return ""


def derived(
    rows: Iterable[AttributeRow], catalogue: Mapping[str, CatalogueRow] | None = None
) -> Iterator[AttributeRow]:
    """Give what follows from what is said; ``catalogue``: UDI-DI -> its row."""
    for row in list(rows):
        if row.source.startswith(SOURCE) or row.source == INFERRED:
            continue
        if row.attribute == "udi":
            di = di_of(row.value)
            if di:
                yield _from(row, "udi-di", di, row.confidence, "udi")
                yield from _of_catalogue(row, (catalogue or {}).get(di))
        elif row.attribute == "udi-di":
            yield from _of_catalogue(row, (catalogue or {}).get(row.value))
        elif row.attribute == "type":
            yield from _of_type(row)
        elif row.attribute == "os":
            end = end_of(row.value)
            if end is not None:
                yield _from(row, "os-end", end.ends, row.confidence, "life")


def _of_type(row: AttributeRow) -> Iterator[AttributeRow]:
    one = TYPES.get(type_of(row.value))
    if one is None:
        return
    for name, value in (
        ("fda-code", one.code),
        ("fda-class", one.device_class),
        ("criticality", one.criticality),
        ("consequence", one.consequence),
        ("stores-phi", one.phi),
    ):
        if value:
            yield _from(row, name, value, min(row.confidence, USUAL), "type")


def _of_catalogue(row: AttributeRow, found: CatalogueRow | None) -> Iterator[AttributeRow]:
    if found is None:
        return
    for name, value in (
        ("make", found.company),
        ("model", found.model or found.brand),
        ("gmdn", found.type),
        ("fda-code", found.product_code),
        ("fda-class", found.device_class),
        ("mri", found.mri),
    ):
        if value:
            yield _from(row, name, value, min(row.confidence, CATALOGUE), "catalogue")


def _from(row: AttributeRow, name: str, value: str, confidence: float, how: str) -> AttributeRow:
    return AttributeRow(
        name, value, f"{SOURCE}.{how}", row.first_us, row.last_us, confidence, origin=row.origin
    )
