"""A list against what is known: what is new, what is the same, what differs and who says otherwise, what is gone. Pure.

Rules:
- Which endpoint a row is about is what its surest mark says that anybody has: tag first, then UDI, EUI-64, serial, card, account, names, address.
  Where several have it and its next ones do not say which, the row is *unclear*; nothing is guessed.
- A row *differs* where another source's word, or this list's word of before, is another value; what nobody said yet is no difference.
- What is *gone* was in this kind of list before, in this realm, and is not in it now.
- Counts are of everything; details are bounded by ``DETAILS_MAX`` each, and it is said how many there are.

Deliberately absent: the database (``Known`` is given batch by batch), and what is done about any of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from oathward.discovery.lists.reading import Refused, Told
from oathward.discovery.model import Mark, MarkKind, Statement

T = TypeVar("T")
Parts = frozenset[tuple[str, str]]

DETAILS_MAX = 10_000
MARKS_MAX = 1_000_000
"""Marks of one list that are remembered to find it twice; beyond them duplicates are not looked for, and that is said."""

_SUREST = (
    MarkKind.TAG,
    MarkKind.ACCOUNT,
    MarkKind.UDI,
    MarkKind.EUI64,
    MarkKind.CERTIFICATE,
    MarkKind.SERIAL,
    MarkKind.MAC,
    MarkKind.HOST,
    MarkKind.AE_TITLE,
    MarkKind.ADDRESS,
)
_OWN = frozenset(
    (
        MarkKind.TAG,
        MarkKind.ACCOUNT,
        MarkKind.UDI,
        MarkKind.EUI64,
        MarkKind.CERTIFICATE,
        MarkKind.SERIAL,
        MarkKind.MAC,
    )
)
"""Marks that two rows of one list must not share."""


class Said(NamedTuple):
    """What one source says of one attribute."""

    value: str
    source: str


class Known(NamedTuple):
    """What is known around some rows.

    Args:
        having: who has a mark. said: endpoint -> attribute -> who says what now. word: attribute and value -> the one word for it, where an attribute has a vocabulary; empty where it has none.
    """

    having: Mapping[Mark, frozenset[str]]
    said: Mapping[str, Mapping[str, Sequence[Said]]]
    word: Callable[[str, str], str] = lambda _attribute, _value: ""


class Difference(NamedTuple):
    """One attribute of which the list says otherwise. ``others``: values with their sources, ``Room 3 (zeek.dhcp)``."""

    file: str
    line: int
    endpoint: str
    attribute: str
    value: str
    others: tuple[Said, ...]


class Duplicate(NamedTuple):
    """A row that claims what an earlier one of the same list has.

    ``mark``: kinds of the marks. ``first``: file and line of that. ``disputed``: it is a number of the site, and the rows are two devices by serial, UDI or EUI-64.
    """

    file: str
    line: int
    mark: str
    first: tuple[str, int]
    disputed: bool = False


class Row(NamedTuple):
    """A row that is new or unclear. ``mark``: kind of the mark that says so."""

    file: str
    line: int
    mark: str


class Gone(NamedTuple):
    """An endpoint of the list before that is not in it now."""

    endpoint: str
    tag: str


@dataclass(slots=True)
class Report:
    """What a list came to.

    ``counts``: ``rows``, ``new``, ``same``, ``differs``, ``unclear``, ``duplicates``, ``disputed``, ``gone``, ``refused`` … of everything; the rest: details.
    ``differing``: attribute -> how many rows; ``refusals``: (column, reason, why) -> how many.
    """

    counts: Counter[str] = field(default_factory=Counter)
    differing: Counter[str] = field(default_factory=Counter)
    refusals: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    new: list[Row] = field(default_factory=list)
    unclear: list[Row] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    gone: list[Gone] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    whole: bool = True
    """Whether duplicates were looked for among all rows."""


class Reconciler:
    """Gathers a report, batch by batch.

    ``disputed``: numbers of the site that the list gives two devices.

    Args:
        are_two: whether what two rows say is of two devices. parts_of: what a row says that two devices do not share (``endpoints.disputing``).
    """

    def __init__(
        self, are_two: Callable[[Parts, Parts], bool], parts_of: Callable[[Statement], Parts]
    ) -> None:
        self.report = Report()
        self.disputed = set[str]()
        self._are_two, self._parts_of = are_two, parts_of
        self._first: dict[Mark, tuple[str, int]] = {}
        self._parts: dict[str, Parts] = {}

    def refuse(self, one: Refused) -> None:
        """Note what could not be read."""
        report = self.report
        report.counts["refused"] += 1
        report.refusals[one.column, one.reason.code, one.why] += 1
        _keep(report.refused, one)

    def compare(self, rows: Iterable[Told], known: Known) -> None:
        """Compare rows with what is known around them."""
        for row in rows:
            if isinstance(row.what, Statement):
                self._compare(row, row.what, known)

    def end(self, before: Mapping[str, str]) -> Report:
        """Give the report, once all rows were compared.

        Args:
            before: endpoint -> tag, of all that this kind of list told of before in this realm.
        """
        for id_, tag in before.items():
            if id_ not in self.report.seen:
                self.report.counts["gone"] += 1
                _keep(self.report.gone, Gone(id_, tag))
        return self.report

    def _compare(self, row: Told, said: Statement, known: Known) -> None:
        report = self.report
        report.counts["rows"] += 1
        self._twice(row, said)
        kind, ids = _whose(said, known)
        if not ids:
            report.counts["new"] += 1
            _keep(report.new, Row(row.file, row.line, kind))
            return
        if len(ids) > 1:
            report.counts["unclear"] += 1
            report.seen |= ids
            _keep(report.unclear, Row(row.file, row.line, kind))
            return
        [id_] = ids
        report.seen.add(id_)
        found = list(_differences(row, said, id_, known))
        report.counts["differs" if found else "same"] += 1
        for one in found:
            report.differing[one.attribute] += 1
            _keep(report.differences, one)

    def _twice(self, row: Told, said: Statement) -> None:
        """Note a row that claims what earlier ones have: once for each of these, however many marks they share."""
        again: dict[tuple[str, int], list[str]] = {}
        quarrels = set[tuple[str, int]]()
        for mark in said.marks:
            if mark.kind not in _OWN:
                continue
            first = self._first.get(mark)
            disputed = mark.kind is MarkKind.TAG and self._is_disputed(mark.value, said)
            if first is not None:
                again.setdefault(first, []).append(mark.kind.value)
                if disputed:
                    self.report.counts["disputed"] += 1
                    quarrels.add(first)
            elif len(self._first) < MARKS_MAX:
                self._first[mark] = (row.file, row.line)
            else:
                self.report.whole = False
        if again:
            self.report.counts["duplicates"] += 1
        for first, kinds in again.items():
            marks = ", ".join(dict.fromkeys(kinds))
            _keep(self.report.duplicates, Duplicate(row.file, row.line, marks, first, first in quarrels))

    def _is_disputed(self, tag: str, said: Statement) -> bool:
        """Whether an earlier row gave a number to another device."""
        mine, before = self._parts_of(said), self._parts.get(tag, frozenset())
        if len(self._parts) < MARKS_MAX:
            self._parts[tag] = before | mine
        if self._are_two(mine, before):
            self.disputed.add(tag)
            return True
        return False


def _whose(said: Statement, known: Known) -> tuple[str, frozenset[str]]:
    """Give the kind of the surest mark that anybody has, and who; of a row that nobody has, its surest mark."""
    marks = sorted(
        (one for one in said.marks if one.kind in _SUREST), key=lambda one: _SUREST.index(one.kind)
    )
    for at, mark in enumerate(marks):
        if ids := known.having.get(mark):
            for other in (
                marks[at + 1 :] if len(ids) > 1 else ()
            ):  # a number in dispute: the row's serial says whose it is
                ids = (ids & known.having.get(other, frozenset())) or ids
            return mark.kind.value, ids
    return (marks[0].kind.value if marks else said.marks[0].kind.value), frozenset()


def _differences(row: Told, said: Statement, id_: str, known: Known) -> Iterable[Difference]:
    def same(attribute: str, value: str) -> str:
        return known.word(attribute, value) or _folded(value)

    of_it = known.said.get(id_, {})
    told: dict[str, list[str]] = {}
    for fact in said.facts:
        told.setdefault(fact.attribute, []).append(fact.value)
    for attribute, values in told.items():
        mine = {same(attribute, value) for value in values}
        others = tuple(one for one in of_it.get(attribute, ()) if same(attribute, one.value) not in mine)
        if others:
            yield Difference(row.file, row.line, id_, attribute, "; ".join(values), others)


def _folded(value: str) -> str:
    return " ".join(value.casefold().split())


def _keep(details: list[T], one: T) -> None:
    if len(details) < DETAILS_MAX:
        details.append(one)
