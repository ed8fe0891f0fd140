"""What the structured part of the same message or subject knows, found in a text however it is written there.

Rules:
- Names (``known_names``), identifiers and contacts (``known_numbers``), addresses and organisations (``known_phrases``), dates
  (``known_dates``): each by its own rules, on the same words, each linear in the text.
- Every value is prepared once for all texts of a message; what is prepared is of the last ``Known`` alone.
- Everything found is sure: ``how`` is ``known``.

Deliberately absent: what nobody knows (``recognisers``), and what becomes of a span.
"""

from __future__ import annotations

from collections.abc import Iterable

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.deid.text.budget import BUDGET, Meter
from oathward.deid.text.known_dates import Dates, find_dates
from oathward.deid.text.known_names import Names, find_names
from oathward.deid.text.known_numbers import Numbers, find_numbers
from oathward.deid.text.known_phrases import Phrases, find_phrases
from oathward.deid.text.known_units import units_of
from oathward.deid.text.model import NOTHING, Known, Span
from oathward.deid.text.tokens import Tokens

VALUES_MAX = 20_000
"""Values of one ``Known`` beside dates, whose number costs nothing; the texts of a message that says more do not pass."""

_DATES = (".birth-date", ".time")
_IDENTIFYING = (".identifier", ".contact", ".encounter")


class _Prepared:
    """What is known, in the forms it is looked for in."""

    __slots__ = ("dates", "names", "numbers", "phrases")

    def __init__(self, known: Known) -> None:
        values = list(dict.fromkeys((cls, part, value) for cls, part, value in known.values if value))
        if sum(not cls.endswith(_DATES) for cls, _, _ in values) > VALUES_MAX:
            raise DeidentificationError(
                "text", f"no more than {VALUES_MAX} known values", reason=Reason.DEID_TEXT_TIMEOUT
            )
        self.names = Names(
            (cls, value) for cls, _, value in values if cls.endswith(".name") and cls != "organisation.name"
        )
        self.numbers = Numbers(
            (cls, value)
            for cls, part, value in values
            if cls.endswith(_IDENTIFYING) or cls in ("device.identity", "order") or part == "postcode"
        )
        self.phrases = Phrases(
            (cls, part, value)
            for cls, part, value in values
            if cls.endswith(".address") or cls == "organisation.name"
        )
        self.dates = Dates((cls, value) for cls, _, value in values if cls.endswith(_DATES))


_last: tuple[Known, _Prepared] = (NOTHING, _Prepared(NOTHING))


def find_known(text: str, words: Tokens, known: Known, meter: Meter | None = None) -> Iterable[Span]:
    """Give a span for each place of a text that names what is known.

    Args:
        text: as the receiver would read it.
        words: of ``text``.
        known: what is looked for.
        meter: of the text; None: one of its own.

    Raises:
        DeidentificationError: ``deid.text-timeout``: more is known than is looked for, or the budget is spent.
    """
    meter = meter or Meter(text, BUDGET)
    meter.spend(len(known.values))
    prepared = _prepared(known)
    units = units_of(words)
    opens = _openings(words, len(units))
    found = [
        *find_names(text, units, opens, prepared.names, meter),
        *find_numbers(text, prepared.numbers),
        *find_phrases(text, units, prepared.phrases),
    ]
    return [*found, *find_dates(text, prepared.dates, sorted(found))]


def _prepared(known: Known) -> _Prepared:
    global _last  # noqa: PLW0603  one tuple, replaced whole: the last that was asked for
    seen, prepared = _last
    if seen is not known:
        prepared = _Prepared(known)
        _last = (known, prepared)
    return prepared


def _openings(words: Tokens, count: int) -> list[bool]:
    """Say for each word whether a sentence may begin with it; of words that were put together, nobody can tell."""
    return [words.opens(i) for i in range(count)] if count == len(words) else [False] * count
