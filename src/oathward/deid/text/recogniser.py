"""What a recogniser is: something that knows one kind of thing that names somebody.

Rules:
- A recogniser looks with *patterns* (read by RE2, so that no text makes them slow), at the *words* of a text, or both.
- A pattern's ``check`` says how sure a hit is, from 0 (it is none) to 1; without one a hit is ``sure``.
- ``languages`` says in which languages' texts it is asked; empty is all. Where nobody said the language, all are asked.
- ``categories`` says which element class a category is: the words of ``core.labels``, as in every catalogue.

Deliberately absent: registration. A file in ``recognisers/`` with a ``RECOGNISER`` is a recogniser of its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from oathward.core.registry import collect
from oathward.deid.text.tokens import Tokens


class Pattern(NamedTuple):
    r"""One pattern.

    Args:
        category: a key of the recogniser's ``categories``.
        expression: in RE2's syntax; it may not match more than ``scan.REACH`` code points. ASCII rules for ``\b``, ``\d``, ``\w``.
        check: what the span holds -> how sure; None: always ``sure``.
        group: which group is the span.
        sure: how sure a hit is where there is no check.
        hint: a simpler expression that is found wherever this one is, to be looked for first; empty: the expression itself.
    """

    category: str
    expression: str
    check: Callable[[str], float] | None = None
    group: int = 0
    sure: float = 0.9
    hint: str = ""


class Word(NamedTuple):
    """What was found at words: code points, category, how sure."""

    start: int
    end: int
    category: str
    sure: float


@dataclass(frozen=True, slots=True)
class Recogniser:
    """One recogniser.

    Args:
        categories: category -> element class.
        patterns: looked for in the text.
        words: asked once a text, with its words.
        languages: of texts it is asked for (``en``, ``es``); empty: all.
    """

    categories: Mapping[str, str]
    patterns: tuple[Pattern, ...] = ()
    words: Callable[[Tokens], Iterable[Word]] | None = None
    languages: frozenset[str] = frozenset()


@cache
def recognisers(language: str = "") -> Mapping[str, Recogniser]:
    """Give the recognisers of a language, by name; of all languages where it is empty."""
    found = collect("oathward.deid.text.recognisers", "RECOGNISER")
    return {
        name: part
        for name, part in found.items()
        if isinstance(part, Recogniser) and (not language or not part.languages or language in part.languages)
    }
