"""Say a statement in words, in one line, and as JSON has it: for people of the staff, at the command line and on pages.

Deliberately absent: a patient's words (``web/portal/texts``), and what a statement comes to (``choices``, ``query``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from oathward.consent.model import Statement
from oathward.core.clock import from_micros, iso
from oathward.policy.consents import Box, ConsentFact

_SHOWN_MAX = 3


def in_words(one: Statement) -> str:
    """Say a statement in one line."""
    return fact_in_words(one.fact)


def fact_in_words(fact: ConsentFact) -> str:
    """Say a fact in one line."""
    text = f"{'permit' if fact.permit else 'deny'} {box_in_words(fact.box)}"
    return text + "".join(f"; except {box_in_words(box)}" for box in fact.unless)


def plain(one: Statement) -> dict[str, Any]:
    """Give a statement as JSON."""
    fact = one.fact
    return {
        "id": fact.id,
        "permit": fact.permit,
        **_plain_box(fact.box),
        "unless": [_plain_box(box) for box in fact.unless],
        "source": one.source,
    }


def box_in_words(box: Box) -> str:
    """Say what a box is of in one line."""
    text = f"{_set(box.purposes)} to {_set(box.recipients)}: {_set(box.classes)}"
    for name, words in (("with code", box.codes), ("labelled", box.labels)):
        if words != {"*"}:
            text += f" {name} {_set(words)}"
    for name, at in (("from", box.start_us), ("until", box.end_us)):
        if at is not None:
            text += f" {name} {from_micros(at):%Y-%m-%d %H:%M}"
    return text


def _plain_box(box: Box) -> dict[str, Any]:
    sets = {
        name: sorted(getattr(box, name)) for name in ("purposes", "recipients", "classes", "codes", "labels")
    }
    times = {"from": box.start_us, "until": box.end_us}
    return sets | {name: iso(from_micros(at)) if at is not None else None for name, at in times.items()}


def _set(words: Iterable[str]) -> str:
    shown = sorted(words)
    more = len(shown) - _SHOWN_MAX
    return ", ".join(shown[:_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
