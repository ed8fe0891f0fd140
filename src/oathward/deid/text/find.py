"""Find what names somebody in a text: ``find``.

Rules, in this order:
1. The text is read as somebody sees it (``seen``).
2. What the structured part knows is looked for first (``known``); it is sure.
3. Then the recognisers' patterns: those of the text's language (``language``), of all where it is not plain; then the recognisers
   that look at words, also with letters joined that stand apart (``spelled``); then the site's own model, where it has one; then
   what only stands beside a name or a date that was found (``ages``, ``weekdays``).
4. Spans that overlap are settled: what may stay as it is gives way to what may not; then what is known, what is surer, what is
   longer, what begins first. What remains of the one that gave way stays a span of its own: nothing that was found is
   left uncovered because something else was found too.

Everything is linear in the text; beyond its budget it raises, and the text does not pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from oathward.deid.text.ages import beside_names
from oathward.deid.text.budget import BUDGET, Budget, Meter
from oathward.deid.text.known import find_known
from oathward.deid.text.language import language_of
from oathward.deid.text.model import Context, Span
from oathward.deid.text.recogniser import recognisers
from oathward.deid.text.scan import scanner
from oathward.deid.text.seen import Seen, seen
from oathward.deid.text.spelled import spelled
from oathward.deid.text.tokens import Tokens, tokens
from oathward.deid.text.weekdays import with_weekdays
from oathward.protocols.shaping import KEEP, Decide

KNOWN = "known"


def find(text: str, context: Context, budget: Budget = BUDGET) -> tuple[Span, ...]:
    """Give what names somebody in ``text``: spans in order, none overlapping another.

    Args:
        text: as the receiver would read it: decoded, its escapes undone.
        context: what is known, what may stay, and the language where somebody said it.
        budget: what it may cost.

    Raises:
        DeidentificationError: ``deid.text-timeout``: the budget is spent; nothing of the text may leave.
    """
    meter = Meter(text, budget)
    read = seen(text)
    words = tokens(read.text)
    meter.spend(len(words))
    language = language_of(words, context.language)
    found = {
        *_known(read.text, words, context, meter),
        *scanner(language).find(read.text, meter),
        *_at_words(words, language, meter),
        *(context.ask(read.text, language) if context.ask else ()),
        *_spelled(read.text, language, meter),
    }
    meter.spend(len(words))
    found.update(beside_names(words, tuple(found)))
    found = set(with_weekdays(words, found))
    if read.origins:
        meter.spend(len(text))
        found = {_back(span, read) for span in found}
    return settle(text, found, context.decide)


def _back(span: Span, read: Seen) -> Span:
    start, end = read.back(span.start, span.end)
    return span._replace(start=start, end=end)


def _known(text: str, words: Tokens, context: Context, meter: Meter) -> Iterator[Span]:
    """What the structured part knows: asked before any recogniser."""
    if context.known.values:
        yield from find_known(text, words, context.known, meter)


def _at_words(words: Tokens, language: str, meter: Meter) -> Iterator[Span]:
    for name, part in recognisers(language).items():
        if part.words is None:
            continue
        meter.spend(len(words))
        for start, end, category, sure in part.words(words):
            meter.spend(1)
            yield Span(start, end, part.categories[category], name, sure)


def _spelled(text: str, language: str, meter: Meter) -> Iterator[Span]:
    """What recognisers find at words whose letters stand apart."""
    joined = spelled(text)
    if joined is None:
        return
    meter.spend(len(text))
    for span in _at_words(tokens(joined.read.text), language, meter):
        if joined.counts(span):
            yield _back(span, joined.read)


def settle(text: str, found: Iterable[Span], decide: Decide) -> tuple[Span, ...]:
    """Give spans in order that cover all that ``found`` covers and do not overlap; see the rules above."""

    def rank(span: Span) -> tuple[bool, bool, float, int, int, str, str]:
        stays = decide(span.cls, "") is KEEP
        return stays, span.how != KNOWN, -span.sure, span.start - span.end, span.start, span.cls, span.how

    settled: list[Span] = []
    for cluster in _clusters(found):
        settled += cluster if len(cluster) == 1 else _painted(text, sorted(cluster, key=rank))
    return tuple(settled)


def _clusters(found: Iterable[Span]) -> Iterator[list[Span]]:
    """Spans that hang together by overlapping; a hole is never inside one."""
    cluster: list[Span] = []
    end = 0
    for span in sorted(found):
        if cluster and span.start >= end:
            yield cluster
            cluster = []
        end = max(end, span.end) if cluster else span.end
        cluster.append(span)
    if cluster:
        yield cluster


def _painted(text: str, ranked: Sequence[Span]) -> Iterator[Span]:
    """Give each code point to the first of ``ranked`` that covers it; linear in what they cover together."""
    begin = min(span.start for span in ranked)
    owners = [-1] * (max(span.end for span in ranked) - begin)
    for number in range(len(ranked) - 1, -1, -1):
        span = ranked[number]
        owners[span.start - begin : span.end - begin] = [number] * (span.end - span.start)
    start = begin
    for number, run in groupby(owners):
        end = start + sum(1 for _ in run)
        span = ranked[number]
        if (span.start, span.end) == (start, end):
            yield span
        else:
            # White space and punctuation between two spans name nobody.
            named = [place for place in range(start, end) if text[place].isalnum()]
            if named:
                yield span._replace(start=named[0], end=named[-1] + 1)
        start = end
