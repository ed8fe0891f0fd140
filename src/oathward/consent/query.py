"""Ask what statements say of one datum, and which of them: for people, beside the decision and not part of it.

Rules:
- Deny wins, but for its own exceptions; what no permit names is not permitted.
- One datum: an element class, the codes and labels it bears, one recipient, one purpose, one moment.

Deliberately absent: links, Cedar, the message as a whole (``policy/decide.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from oathward.consent.model import Statement
from oathward.policy.consents import ANY, EVERY, Box, classes_of, hits, labels_meet

Word = Literal["permit", "deny", "none"]


@dataclass(frozen=True, slots=True)
class Query:
    """One datum on its way. ``recipient``: every word that means who gets it."""

    purpose: str
    recipient: frozenset[str]
    at_us: int
    class_: str = "observation.value"
    codes: frozenset[str] = frozenset()
    confidentiality: str = "N"
    sensitivity: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said, and the statements that say so; ``none``: nobody permitted it, and nobody denied it."""

    word: Word
    by: tuple[Statement, ...] = ()


def ask(statements: Sequence[Statement], query: Query) -> Answer:
    """Say what statements come to for one datum."""
    denials = tuple(s for s in statements if not s.fact.permit and _denied(s, query))
    if denials:
        return Answer("deny", denials)
    permits = tuple(s for s in statements if s.fact.permit and covers(s.fact.box, query, permit=True))
    return Answer("permit", permits) if permits else Answer("none")


def _denied(one: Statement, query: Query) -> bool:
    if not one.fact.codes:  # lost: of everything, without exceptions
        return covers(replace(one.fact.box, codes=EVERY, classes=EVERY), query, permit=False)
    excepted = any(covers(box, query, permit=True) for box in one.fact.unless)
    return covers(one.fact.box, query, permit=False) and not excepted


def covers(box: Box, query: Query, *, permit: bool) -> bool:
    """Whether a box speaks of a datum, read as permits or as denials are."""

    def names(words: frozenset[str], about: frozenset[str]) -> bool:
        return ANY in words or not words.isdisjoint(about) or (not words and not permit)

    by_code = ANY in box.codes or bool(hits(box.codes, query.codes, wide=not permit))
    return (
        names(box.purposes, frozenset((query.purpose,)))
        and names(box.recipients, query.recipient)
        and query.class_ in classes_of(box.classes, permit=permit)
        and (by_code or (not box.codes and not permit))
        and labels_meet(box.labels, query.confidentiality, query.sensitivity, permit=permit)
        and (box.start_us is None or box.start_us <= query.at_us)
        and (box.end_us is None or query.at_us < box.end_us)
    )
