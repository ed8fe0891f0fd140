"""The text without what names somebody: ``clean``.

Rules:
- A span becomes what the profile does with its class, as an element of that class would; where that is removal, or an action
  that gives nothing, a mark stands in its place (``[name]``), the same in every language.
- A span goes whole: what an action makes of it never stands beside a part of it.
- A date is given to an action as ``YYYYMMDD`` where it can be read for certain, as a message would give it; what the action
  makes of it is written in the form that stood there (``dates.like``).

Deliberately absent: finding (``find``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from oathward.deid.text.budget import BUDGET, Budget
from oathward.deid.text.dates import basic, like
from oathward.deid.text.find import find
from oathward.deid.text.language import base
from oathward.deid.text.model import Context, Span
from oathward.deid.text.seen import seen
from oathward.protocols.shaping import KEEP, REMOVE, Edit, edited

if TYPE_CHECKING:
    from oathward.deid.action import Seeds

MARKS = {
    "name": "[name]",
    "identifier": "[id]",
    "address": "[address]",
    "contact": "[contact]",
    "birth-date": "[date]",
    "time": "[date]",
    "demographic": "[age]",
    "encounter": "[id]",
    "identity": "[device]",
    "location": "[place]",
}
"""The last part of an element class -> its mark."""
ORGANISATION = "[organisation]"
OTHER = "[removed]"
_TIMES = ("time", "birth-date")


class Cleaned(NamedTuple):
    """A text as it may leave, and what was found in the original (places in the original)."""

    text: str
    spans: tuple[Span, ...]


def clean(text: str, context: Context, seeds: Seeds, budget: Budget = BUDGET) -> Cleaned:
    """Give the text with every span shaped.

    Args:
        text: decoded, its escapes undone; the caller writes it back in its format's form.
        context: what is known, what happens to each class, the language.
        seeds: of this subject and project; given to the actions.
        budget: what finding may cost.

    Raises:
        DeidentificationError: the budget is spent, or an action could not do its work; nothing of the text may leave.
    """
    spans = find(text, context, budget)
    return Cleaned(edited(text, edits_of(text, spans, context, seeds)), spans)


def edits_of(text: str, spans: Iterable[Span], context: Context, seeds: Seeds) -> list[Edit]:
    """Give what stands in the place of each span.

    Args:
        spans: of ``find``.

    Raises:
        DeidentificationError: an action could not do its work.
    """
    return [
        Edit(span.start, span.end, _shaped(text[span.start : span.end], span.cls, context, seeds))
        for span in spans
    ]


def mark(cls: str) -> str:
    """Give what stands where an element of a class was."""
    if cls == "organisation.name":
        return ORGANISATION
    return MARKS.get(cls.rpartition(".")[2], OTHER)


def _shaped(value: str, cls: str, context: Context, seeds: Seeds) -> str:
    ruling = context.decide(cls, "")
    if ruling is KEEP:
        return value
    if ruling is REMOVE or not callable(ruling):
        return mark(cls)
    if cls.rpartition(".")[2] in _TIMES:
        read = seen(value).text
        day = basic(read)
        moved = ruling(day, seeds) if day else ""
        return like(read, moved, base(context.language)) if moved else mark(cls)
    return ruling(value, seeds) or mark(cls)
