"""A list parsed in a process of its own, which can do nothing else (``core.parsing``): ``python -m oathward.discovery.lists.apart FD``.

Rules:
- Archives are unpacked, formats told and lists read in the child alone; here nothing of a list is looked at but what the child says of it.
- That is checked: kinds, numbers and texts by their types, that it speaks of its own realm and source, and of nothing that only the gateway may say.
  What does not hold ends the reading (``ParserError``).
- Texts are made printable and cut here too.

Deliberately absent: what becomes of a list.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from oathward.core import checked
from oathward.core.errors import InputError
from oathward.core.parsing import Files, Parser, odd, printable, serve, too_much
from oathward.core.reasons import Reason
from oathward.discovery.lists.opening import Source, sources
from oathward.discovery.lists.proposing import Proposal, propose
from oathward.discovery.lists.reading import (
    How,
    ListFormat,
    MayDo,
    Product,
    Refused,
    Told,
    format_of,
    formats,
)
from oathward.discovery.model import MarkKind, Statement

MODULE = "oathward.discovery.lists.apart"
BATCH_ROWS = 500
FOUND_MAX = 20_000_000
"""Rows and refusals of one list; the largest public one, AccessGUDID, has some five million."""
TEXT_LENGTH_MAX = 1_000
_TIME_MAX = 2**62
_LINE_MAX = 2**40


def _shown(text: str) -> str:
    return printable(text[:TEXT_LENGTH_MAX])


_KINDS: dict[str, type] = {"statement": Statement, "product": Product, "model": MayDo}
_READS = {name: checked.reader(kind, _shown) for name, kind in _KINDS.items()}
_REFUSED = checked.reader(Refused, _shown)
_PROPOSAL = checked.reader(Proposal, printable)
_HOW = checked.reader(How)


@dataclass(slots=True)
class Listed:
    """A list that is read: its format's name, empty where there is nothing in its first file, and what is found, once."""

    format: str
    found: Iterator[Told | Refused] = field(repr=False)

    @property
    def known(self) -> ListFormat:
        """The format."""
        return formats()[self.format]


def read(parser: Parser, how: How) -> Listed:
    """Read a list, whose files and format its parser was given (``asked``).

    Raises:
        InputError: no format that is read here; what else is wrong with the list before its first row.
        ParserError: of ``Parser``.
    """
    said = iter(parser)
    name = next(said, {}).get("format")
    if name == "":
        return Listed("", iter(()))
    if not isinstance(name, str) or name not in formats():
        raise odd()
    return Listed(name, _found(said, formats()[name].source, how.realm))


def proposal(parser: Parser) -> Proposal | None:
    """Have a mapping proposed for the list of a parser; None where its file holds no list at all. Raises as ``read``."""
    said = next(iter(parser), {})
    if said.get("format") == "":
        return None
    try:
        found = _PROPOSAL(said.get("proposal"))
    except ValueError as error:
        raise odd() from error
    assert isinstance(found, Proposal)
    return found


def asked(how: How, name: str = "", propose_for: str = "") -> dict[str, Any]:
    """Say what a parser is asked: to read a list, in a format where one is named, or to propose a mapping for a format."""
    return {"how": checked.plain(how), "format": name, "propose": propose_for}


def _found(said: Iterable[dict[str, Any]], source: str, realm: str) -> Iterator[Told | Refused]:
    left = FOUND_MAX
    for answer in said:
        try:
            left -= len(answer["found"])
            if left < 0:
                raise too_much()
            batch = [_one(row, source, realm) for row in answer["found"]]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise odd() from error
        yield from batch


def _one(row: Sequence[Any], source: str, realm: str) -> Told | Refused:
    kind, *rest = row
    if kind == "refused":
        refused = _REFUSED(rest)
        assert isinstance(refused, Refused)
        return refused
    file, line, what = rest
    if not isinstance(file, str) or not isinstance(line, int) or not 0 <= line <= _LINE_MAX:
        raise ValueError("place")
    told = Told(_shown(file), line, _READS[kind](what))
    if isinstance(told.what, Statement):
        _check(told.what, source, realm)
    return told


def _check(one: Statement, source: str, realm: str) -> None:
    if one.source != source or one.realm != _shown(realm) or not 0 <= one.at_us <= _TIME_MAX or not one.marks:
        raise ValueError("statement")
    if any(mark.kind is MarkKind.DEVICE for mark in (*one.marks, *one.behind)):
        raise ValueError("mark")
    if any(not 0 <= fact.confidence <= 1 for fact in one.facts):
        raise ValueError("confidence")


def work(told: dict[str, Any], files: Files) -> Iterator[dict[str, Any]]:
    """Be the child: read the files as lists."""
    how = _HOW(told["how"])
    every = (one for name, stream in files for one in sources(name, stream))
    first = next(every, None)
    if first is not None:
        first.check()
    if first is None or not (first.head or told["propose"]):
        yield {"format": ""}
    elif told["propose"]:
        yield {"proposal": checked.plain(propose(first, list_=told["propose"]))}
    else:
        name = told["format"] or _format_of(first)
        yield {"format": name}
        yield from _batches(formats()[name].read(chain([first], every), how))


def _format_of(source: Source) -> str:
    found = format_of(source.head, source.name)
    if found is None:
        words = "; ".join(one.words for one in formats().values())
        raise InputError(
            source.name, f"is no list that is read here: {words}", reason=Reason.FORMAT_UNSUPPORTED
        )
    return found[0]


def _batches(found: Iterable[Told | Refused]) -> Iterator[dict[str, Any]]:
    """Give what is found some hundred at a time; a model has an answer of its own: it may be large."""
    batch: list[list[Any]] = []
    for one in found:
        if isinstance(one, Refused):
            batch.append(["refused", *checked.plain(one)])
        else:
            kind = next(name for name, type_ in _KINDS.items() if isinstance(one.what, type_))
            batch.append([kind, one.file, one.line, checked.plain(one.what)])
        if len(batch) >= BATCH_ROWS or batch[-1][0] == "model":
            yield {"found": batch}
            batch = []
    if batch:
        yield {"found": batch}


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1:], formats, work))
