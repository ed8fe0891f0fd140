"""Write the record of processing: as text, CSV, or an HTML page to print that stands alone. Pure.

Rules:
- Every column with every row; a cell's source stands beside it, and what is missing in its place.
- The page has no script and nothing from elsewhere; whatever stands in a cell is escaped.

Source: GDPR Art. 30(3): in writing, including in electronic form.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from oathward.governance.processing import COLUMNS, Cell, Processing, gaps, said
from oathward.governance.sheet import write

_STYLE = (
    "@page{size:A3 landscape;margin:12mm}body{font:11px/1.4 system-ui,sans-serif;color:#111;background:#fff}"
    "table{border-collapse:collapse;width:100%}th,td{border:1px solid #999;padding:4px;vertical-align:top;text-align:left}"
    "thead{display:table-header-group}tr{break-inside:avoid}.s{color:#555;display:block}.m{font-weight:700;display:block}"
)


def csv(rows: Sequence[Processing], site: str, at: str) -> str:
    """Write CSV: the columns, then site and time of each row."""
    header = [*COLUMNS.values(), "Site", "As of"]
    return write(header, [[*(said(cell) for cell in row.cells.values()), site, at] for row in rows])


def text(rows: Sequence[Processing], site: str, at: str) -> str:
    """Write text: a row after the other, a column a line."""
    lines = [f"Record of processing, {site}, as of {at}", ""]
    for row in rows:
        lines += [f"{row.kind}/{row.id}"]
        lines += [f"  {COLUMNS[key]}: {said(cell)}" for key, cell in row.cells.items()]
        lines.append("")
    lines.append(f"{len(gaps(rows))} cells lack something.")
    return "\n".join(lines) + "\n"


def html(rows: Sequence[Processing], site: str, at: str) -> str:
    """Write a page to print."""
    heads = "".join(f"<th scope=col>{escape(head)}</th>" for head in COLUMNS.values())
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row.cells.values()) + "</tr>" for row in rows
    )
    title = f"Record of processing, {escape(site)}"
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{title}</h1><p>GDPR Art. 30(1), as of {escape(at)}; {len(rows)} rows, "
        f"{len(gaps(rows))} cells lack something.</p>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></body></html>\n"
    )


def _cell(cell: Cell) -> str:
    words = escape(cell.text)
    source = f"<span class=s>{escape(cell.source)}</span>" if cell.text and cell.source else ""
    missing = f"<span class=m>Missing: {escape(cell.missing)}</span>" if cell.missing else ""
    return words + source + missing
