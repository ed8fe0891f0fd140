"""Leave of a free text what names nobody: what is known and what recognisers find becomes what the profile does with its class.

Parameters: ``recall``, the share of what names somebody that must be found, by measurement, in the text's language (``0.9``);
``below``, what happens to a text of another language, or one that costs more than its budget: ``drop`` or ``hold``;
``language``, of texts of which nobody says it.

Rules:
- Without ``recall`` texts of every language are cleaned, with what is known and the recognisers of all languages.
- What is one word with a long number in it, and nothing that was found, is no text: it is removed. So is a run that no
  text has (base64, a key).
- Of what only qualifies a text (the time of a note) nothing stays but the status of a narrative.
- Lines that were cleaned together (``Context.lines``) are what they became then.

Source: 45 CFR 164.514(b)(2)(i)(A)-(R): the identifiers, wherever they stand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from oathward.core.errors import DeidentificationError, PolicyError
from oathward.core.reasons import Reason
from oathward.deid.action import Action, Parameters, Seeds
from oathward.deid.text.clean import OTHER, edits_of
from oathward.deid.text.find import find
from oathward.deid.text.language import foreign, language_of
from oathward.deid.text.measured import recall_of
from oathward.deid.text.model import Context
from oathward.deid.text.tokens import tokens
from oathward.protocols.shaping import REMOVE, Edit, Ruling, Texts

BELOW = ("drop", "hold")
STATUS = frozenset(("generated", "extensions", "additional", "empty"))
"""FHIR R4 narrative-status: it says nothing of what the narrative says."""

_UNREADABLE = re.compile(r"[A-Za-z0-9+/=_\-]{48,}(?:\r?\n[A-Za-z0-9+/=_\-]+(?=\s|\Z))*")
_SPACES = {
    ord(space): " "
    for space in "\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
}
"""Spaces that are found as any other."""

_LONG_NUMBER = re.compile(r"[0-9]{5}")


def _status(value: str, _seeds: Seeds) -> str:
    return value if value in STATUS else ""


def _rule(cls: str, part: str, parameters: Parameters) -> Ruling:
    recall, hold, language = _asked(parameters)
    if part == "rest":
        return _status
    if cls != "note.text":
        return REMOVE

    def edits(text: str, seeds: Seeds) -> Sequence[Edit] | None:
        context = seeds.text
        if context is None:
            return None
        if text in context.lines:
            line = context.lines[text]
            return None if line is None else (Edit(0, len(text), line),)
        if recall and recall_of(_language(text, context) or language) < recall:
            if hold:
                raise DeidentificationError(
                    "text", "a language that was measured", reason=Reason.DEID_TEXT_HELD
                )
            return None
        try:
            return _once(text, context, seeds)
        except DeidentificationError as error:
            if hold or error.reason is not Reason.DEID_TEXT_TIMEOUT:
                raise
            return None

    return Texts(edits)


def _language(text: str, context: Context) -> str:
    """Give the language that is plainly none of ours; else the one somebody said, known or not; else the one that is plain, if any."""
    words = tokens(text)
    said = context.language.replace("_", "-").partition("-")[0].lower()
    return foreign(words) or said or language_of(words)


def _once(text: str, context: Context, seeds: Seeds) -> Sequence[Edit] | None:
    if text not in seeds.edits:
        seeds.edits[text] = found_in(text, context, seeds)
    found: Sequence[Edit] | None = seeds.edits[text]
    return found


def found_in(text: str, context: Context, seeds: Seeds) -> Sequence[Edit] | None:
    """Give what is changed of a text; None where nothing of it may stay.

    Raises:
        DeidentificationError: the budget is spent.
    """
    read = text if text.isascii() else text.translate(_SPACES)
    found = edits_of(read, find(read, context), context, seeds)
    if is_number(text, found):
        return None
    hidden = [Edit(*run.span(), OTHER) for run in _UNREADABLE.finditer(text) if not _is_rule(run[0])]
    return _without_overlaps([*hidden, *found]) if hidden else found


def _is_rule(run: str) -> bool:
    """Say whether a run is a line drawn with marks."""
    return 2 * sum(map(str.isalnum, run)) < len(run)


def is_number(text: str, edits: Sequence[Edit]) -> bool:
    """Say whether a text is one word with a long number that nothing was found in."""
    return not edits and len(text.split()) == 1 and _LONG_NUMBER.search(text) is not None


def _without_overlaps(edits: list[Edit]) -> list[Edit]:
    """Let an edit that begins inside another be part of it."""
    made: list[Edit] = []
    for edit in sorted(edits):
        if made and edit.start < made[-1].end:
            made[-1] = made[-1]._replace(end=max(made[-1].end, edit.end))
        else:
            made.append(edit)
    return made


def _asked(parameters: Parameters) -> tuple[float, bool, str]:
    """Read the parameters.

    Raises:
        PolicyError: ``recall`` is no number from 0 to 1, or ``below`` is neither ``drop`` nor ``hold``.
    """
    below = "".join(parameters.get("below", ("drop",)))
    if below not in BELOW:
        raise PolicyError("parameters.text.below", "write one of drop, hold")
    try:
        recall = float("".join(parameters.get("recall", ("0",))))
    except ValueError:
        recall = -1.0
    if not 0 <= recall <= 1:
        raise PolicyError("parameters.text.recall", "write a number from 0 to 1")
    return recall, below == "hold", "".join(parameters.get("language", ()))


ACTION = Action(_rule, parameters=frozenset(("recall", "below", "language")), keyed=True)
