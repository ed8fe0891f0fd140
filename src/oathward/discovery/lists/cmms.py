"""Lists of a CMMS, as CSV in any dialect: the site's own word on its equipment.

Rules:
- Which column is what is said by a mapping (``proposing`` makes one); nothing is guessed while reading.
- What a row says of place, owner, unit and tag has confidence 1: it is the site's own list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.lists import cells
from oathward.discovery.lists.lines import Lines
from oathward.discovery.lists.opening import Source
from oathward.discovery.lists.reading import How, ListFormat, Refused, Told, refusals
from oathward.discovery.lists.rows import Broken, places, rows, shape_of

_TEXT_NAMES = (".csv", ".tsv", ".txt", ".tab")


def is_text_table(head: bytes, name: str) -> bool:
    """Say whether a list may be CSV: not JSON, not XML, and named so or with a separator in its first line."""
    begin = head.lstrip(b"\xef\xbb\xbf\xff\xfe \r\n\t\0")[:1]
    if begin in {b"{", b"[", b"<"}:
        return False
    first = head.replace(b"\0", b"").partition(b"\n")[0]
    return name.endswith(_TEXT_NAMES) or any(one in first for one in (b",", b";", b"\t", b"|"))


def read(sources: Iterable[Source], how: How, *, source: str = "cmms") -> Iterator[Told | Refused]:
    """Read lists by their mapping.

    Args:
        source: of the statements.
    """
    for one in sources:
        begun: list[Lines] = []

        def line(begun: list[Lines] = begun) -> int:
            return begun[0].number if begun else 0

        yield from refusals(one.name, line, _read(one, how, source, begun))


def _read(list_: Source, how: How, source: str, begun: list[Lines]) -> Iterator[Told | Refused]:
    columns = how.columns
    if columns is None:
        raise InputError(
            "mapping", "say which column is what: --wizard proposes it", reason=Reason.OBSERVED_COLUMNS
        )
    shape = shape_of(list_, columns)
    wanted = places(shape, columns)
    begun.append(Lines(list_, shape.encoding))
    for row in rows(shape, begun[0]):
        if isinstance(row, Broken):
            yield Refused(list_.name, row.line, "", row.reason, row.why)
            continue
        said = cells.Row(source, how.year, columns.make, columns.vendor)
        for at, attribute, name, form in wanted:
            said.add(attribute, row.cells[at], name, form)
        for cell in said.refused:
            yield Refused(list_.name, row.line, *cell)
        statement = said.statement(how.realm, how.at_us)
        if statement is None:
            why = "nothing in the row tells which device it is: no tag, serial with maker, card, address …"
            yield Refused(list_.name, row.line, "", Reason.ELEMENT_MISSING, why)
        else:
            yield Told(list_.name, row.line, statement)


LIST = ListFormat(
    words="CMMS or any other CSV",
    source="cmms",
    knows=is_text_table,
    read=read,
    mapped=True,
    order=90,
)
