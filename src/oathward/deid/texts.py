"""What free text of one message is cleaned with: what the message knows, and its lines that are one text, cleaned together.

Rules:
- Asked for only where a plan cleans texts or attachments: other plans pay nothing.
- A span has the ruling of its class, whatever part: where a class is cleaned as text, or not permitted, it is removed.
- What stands over several lines is marked in each of them; a line that two texts have loses what either of them does.

Deliberately absent: which elements are texts (catalogues), and what is found in them (``deid/text``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from oathward.deid.action import Seeds
from oathward.deid.actions.text import is_number
from oathward.deid.text.model import NOTHING, Context, Known
from oathward.protocols.shaping import REMOVE, Attachments, Decide, Edit, Ruling, Texts, Told, edited

NOTE = "note.text"
JOINT = "\n"


@dataclass(frozen=True, slots=True)
class Reading:
    """How a plan reads what texts are cleaned with.

    ``known_of``: message -> what it says of persons and things. ``texts_of``: message -> lines that are one text.
    """

    decide: Decide
    known_of: Callable[[Any], Sequence[Told]]
    texts_of: Callable[[Any], Sequence[Sequence[str]]]

    def seeds(self, message: Any, seeds: Seeds) -> Seeds:
        """Give seeds that have what the texts of this message are cleaned with.

        Raises:
            DeidentificationError: a text is held.
        """
        given = seeds.text
        known = Known((*self.known_of(message), *(given.known if given else NOTHING).values))
        context = (
            replace(given, known=known, decide=self._of_span) if given else Context(known, self._of_span)
        )
        ready = replace(seeds, text=context)
        ruling = self.decide(NOTE, "")
        groups = self.texts_of(message) if isinstance(ruling, Texts) else ()
        if not groups or not isinstance(ruling, Texts):
            return ready
        return replace(seeds, text=replace(context, lines=_cleaned(groups, ruling, ready)))

    def _of_span(self, cls: str, part: str) -> Ruling:
        ruling = self.decide(cls, part)
        return REMOVE if isinstance(ruling, Texts | Attachments) else ruling


def _cleaned(groups: Sequence[Sequence[str]], ruling: Texts, seeds: Seeds) -> dict[str, str | None]:
    """Clean each group of lines as one text."""
    edits: dict[str, list[Edit] | None] = {}
    for group in groups:
        found = ruling.edits(JOINT.join(group), seeds)
        at = 0
        for line in group:
            before = edits.setdefault(line, [])
            if found is None or before is None:
                edits[line] = None
            else:
                before += _within(found, at, at + len(line))
            at += len(line) + len(JOINT)
    return {line: _line(line, own) for line, own in edits.items()}


def _line(line: str, edits: list[Edit] | None) -> str | None:
    if edits is None or is_number(line, edits):
        return None
    return edited(line, _settled(edits))


def _within(found: Sequence[Edit], start: int, end: int) -> list[Edit]:
    """Give what edits of a text do to a line of it."""
    return [
        Edit(max(edit.start, start) - start, min(edit.end, end) - start, edit.text)
        for edit in found
        if edit.start < end and edit.end > start
    ]


def _settled(edits: list[Edit]) -> list[Edit]:
    """Make what overlaps one, by whichever begins first."""
    made: list[Edit] = []
    for edit in sorted(set(edits)):
        if made and edit.start < made[-1].end:
            last = made[-1]
            made[-1] = Edit(last.start, max(last.end, edit.end), last.text or edit.text)
        else:
            made.append(edit)
    return made
