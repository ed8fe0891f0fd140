"""Flows as the reader of a source hands them to its parent: JSON by column, a column of one value as that value.

Rules:
- Who reads them believes nothing: as much as a part may have, and columns of the kinds of ``FLOW_COLUMNS``, is checked before anything is built of it.

Deliberately absent: Arrow IPC, although it is faster. Bytes made for it end the process that reads them, or have it ask for all memory (tried with
Polars 2.1); a captured reader could then end its parent, or more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from oathward.discovery.model import FLOW_COLUMNS

if TYPE_CHECKING:
    import polars as pl

FLOWS_MAX = 50_000
"""Rows of one part."""
FLOWS_BYTES_MAX = 128 << 20
BESIDE_BYTES_MAX = 8 << 20
"""Of what is said beside the flows of one part, as JSON; what is more is cut in several."""
_PARTS_MAX = 2 * FLOWS_MAX * len(FLOW_COLUMNS)
"""Commas and brackets, those of texts as well: each may be an object of the parent's memory."""


def packed(flows: pl.DataFrame) -> bytes:
    """Write flows with ``FLOW_COLUMNS``."""
    columns = {name: _packed(flows[name]) for name in FLOW_COLUMNS}
    return orjson.dumps({"rows": flows.height, "columns": columns})


def unpacked(data: bytes) -> pl.DataFrame:
    """Read flows.

    Raises:
        ValueError: no flows, other columns, or more than one part has.
    """
    import polars as pl

    if len(data) > FLOWS_BYTES_MAX or any(data.count(one) > _PARTS_MAX for one in (b",", b"[", b"{")):
        raise ValueError("flows")
    try:
        head = orjson.loads(data)
        rows, columns = head["rows"], head["columns"]
        if type(rows) is not int or not 0 <= rows <= FLOWS_MAX or list(columns) != list(FLOW_COLUMNS):
            raise ValueError("flows")
        found = [_column(name, getattr(pl, kind), columns[name], rows) for name, kind in FLOW_COLUMNS.items()]
        return pl.DataFrame(found)
    except (KeyError, TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise ValueError("flows") from error


def _packed(column: pl.Series) -> Any:
    """Give one value where all are that, else a list."""
    first = column[0] if len(column) else None
    return first if column.eq_missing(first).all() else column.to_list()


def _column(name: str, kind: Any, values: Any, rows: int) -> pl.Series:
    import polars as pl

    if not isinstance(values, list):
        return pl.Series(name, [values], kind, strict=True).new_from_index(0, rows)
    if len(values) != rows:
        raise ValueError("flows")
    return pl.Series(name, values, kind, strict=True)
