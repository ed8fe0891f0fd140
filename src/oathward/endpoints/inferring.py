"""What type of device it probably is, out of what it shows: learned from examples, explained, and silent where it does not know. Pure.

Rules:
- A device is a set of *tokens*: options and vendor class of its DHCP requests, the shape of its host name, the prefix of its card, which services it asks
  and serves, domains it asks for. Payloads are none, and no value of a patient is.
- Naive Bayes over the tokens that are there gives the type that fits best. How sure that is, is learned too: each example is guessed once without itself, and
  once without all of its group (a maker, a model), and a logistic curve over margin and share of known tokens says how often such a guess was right. What
  all types show counts for nothing in that share.
- Below ``CONFIDENCE_MIN`` there is no answer. "Unknown" is one.
- Where the examples give no answer, ``RULES`` may: tokens that only one type of device shows, whoever made it. Two that disagree are no answer.
- A guess says which tokens spoke most for it.

Deliberately absent: examples. Who has labelled devices learns from them; a guess is the word of a source with its confidence, and never outranks a list.

Source: Platt, Probabilistic Outputs for Support Vector Machines (1999): the curve, and its targets that are not quite 0 and 1.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from oathward.discovery.model import Fact, Mark, MarkKind
from oathward.endpoints.marks import is_random, usable_mac

CONFIDENCE_MIN = 0.8
"""Four of five such guesses should be right: a wrong type sends a person astray, no type sends nobody anywhere."""

TOKENS_MAX = 256
"""Tokens of one device that are looked at: what names more is no better known for it."""

RULES: Mapping[str, str] = {
    "modality ct": "ct",
    "modality mr": "mr",
    "modality us": "ultrasound",
    "modality mg": "mammography",
    "modality nm": "nuclear-medicine",
    "modality pt": "nuclear-medicine",
    "modality es": "endoscopy",
    "modality cr": "x-ray",
    "modality dx": "x-ray",
    "modality rf": "x-ray",
    "modality xa": "x-ray",
    "serves tcp 515": "printer",
    "serves tcp 9100": "printer",
    "serves rtsp": "camera",
    "serves tcp 554": "camera",
}
"""Token -> the one type of device that shows it: modalities of DICOM PS3.3 C.7.3.1.1.1, services by their IANA names."""

REASONS = 3
REASON_LENGTH_MAX = 180
"""Characters of a reason: it is kept as an attribute."""

_SMOOTH = 0.2
_PORT_MAX = 32_767
"""Ports above are mostly chosen anew for each conversation (RFC 6056), and say nothing of a device."""

_TRIED_MAX = 128
"""Examples that are guessed without themselves: enough for a curve of three numbers."""
_STEPS, _RATE, _RIDGE = 2_000, 2.0, 0.0005
_HEX_RUN = re.compile(r"[0-9a-f]*[0-9][0-9a-f]*")
_WORDS = ("vendor-class", "dhcp-vendor-class", "user-agent", "software", "os", "modality")
_SAME = {"dhcp-vendor-class": "vendor-class"}


class Service(NamedTuple):
    """One service a device asks for or serves. ``name``: of the server, as it was asked for; ``service``: empty where nobody recognised it."""

    asks: bool
    transport: str
    port: int
    service: str = ""
    name: str = ""


class Example(NamedTuple):
    """A device whose type is known. ``group``: what may be another one tomorrow, as its maker: learning looks how well it does without."""

    type: str
    tokens: frozenset[str]
    group: str


class Guess(NamedTuple):
    """A type with how sure that is, 0 to 1, and the tokens that spoke most for it."""

    type: str
    confidence: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Learned:
    """What examples came to.

    Args:
        seen: type -> token -> in how many examples. sizes: type -> examples. curve: constant, weight of the margin, weight of the share of known tokens.
    """

    seen: Mapping[str, Mapping[str, int]]
    sizes: Mapping[str, int]
    curve: tuple[float, float, float] = (0.0, 0.0, 0.0)


def tokens_of(marks: Iterable[Mark], facts: Iterable[Fact], services: Iterable[Service]) -> frozenset[str]:
    """Give what a device shows as tokens; at most ``TOKENS_MAX``, the same ones for the same device."""
    found: set[str] = set()
    for kind, value in marks:
        if kind is MarkKind.MAC and usable_mac(value) and not is_random(value):
            found.add(f"card {value[:8]}")
        elif kind is MarkKind.HOST:
            found.add(f"host {_HEX_RUN.sub('#', value.casefold())}")
    for attribute, value, _ in facts:
        if attribute == "dhcp-options":
            found.add(f"options {value}")
        elif attribute in _WORDS:
            found.add(f"{_SAME.get(attribute, attribute)} {_HEX_RUN.sub('#', value.casefold())}")
    for one in services:
        found |= _tokens_of_service(one)
    return frozenset(sorted(found)[:TOKENS_MAX])


def _tokens_of_service(one: Service) -> set[str]:
    way = "asks" if one.asks else "serves"
    found = {f"{way} {one.service}"} if one.service else set()
    if 0 < one.port <= _PORT_MAX:
        found.add(f"{way} {one.transport} {one.port}")
    if one.asks and one.name and not one.name.replace(".", "").isdigit():
        found.add("domain " + ".".join(one.name.casefold().rstrip(".").split(".")[-2:]))
    return found


def learn(examples: Sequence[Example]) -> Learned:
    """Learn types and how far to trust a guess.

    Args:
        examples: at least two types, or every guess is without confidence.
    """
    whole = _counted(examples)
    tried = examples[:: 1 + len(examples) // _TRIED_MAX]
    points = list[tuple[float, float, bool]]()
    without: tuple[Callable[[Example, Example], bool], ...] = (
        lambda one, other: one is not other,
        lambda one, other: one.group != other.group,
    )
    for keeps in without:
        for one in tried:
            rest = _counted([other for other in examples if keeps(one, other)])
            best = _best(rest, one.tokens)
            if best is not None:
                points.append((best[1], best[2], best[0] == one.type))
    return Learned(whole.seen, whole.sizes, _curve(points))


def answer(learned: Learned, tokens: frozenset[str]) -> Guess | None:
    """Guess the type of a device by what was learned, else by rule; None where neither is sure, or the two disagree."""
    known, rule = infer(learned, tokens), by_rule(tokens)
    if known is not None and rule is not None and known.type != rule.type:
        return None
    return known or rule


def infer(learned: Learned, tokens: frozenset[str]) -> Guess | None:
    """Guess the type of a device by what was learned; None where that is not sure enough."""
    guess = best_guess(learned, tokens)
    return guess if guess is not None and guess.confidence >= CONFIDENCE_MIN else None


def by_rule(tokens: frozenset[str]) -> Guess | None:
    """Guess the type by the tokens that one type alone shows; None where there are none, or those of several."""
    found = sorted(token for token in tokens if token in RULES)
    types = {RULES[token] for token in found}
    return Guess(types.pop(), CONFIDENCE_MIN, tuple(found[:REASONS])) if len(types) == 1 else None


def best_guess(learned: Learned, tokens: frozenset[str]) -> Guess | None:
    """Give the type that fits best, however unsure; None where nothing of it was ever seen."""
    best = _best(learned, tokens)
    if best is None:
        return None
    type_, margin, known = best
    constant, of_margin, of_known = learned.curve
    confidence = _logistic(constant + of_margin * margin + of_known * known)
    return Guess(type_, confidence, _reasons(learned, type_, tokens))


def _counted(examples: Iterable[Example]) -> Learned:
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    sizes = Counter[str]()
    for one in examples:
        seen[one.type].update(one.tokens)
        sizes[one.type] += 1
    return Learned(seen, sizes)


def _weight(learned: Learned, type_: str, token: str) -> float:
    return math.log((learned.seen[type_].get(token, 0) + _SMOOTH) / (learned.sizes[type_] + 2 * _SMOOTH))


def _best(learned: Learned, tokens: frozenset[str]) -> tuple[str, float, float] | None:
    """Give the type that fits best, by how much it beats the next (0 to 1), and the share of what tells types apart that it knows."""
    known = sorted(token for token in tokens if any(token in seen for seen in learned.seen.values()))
    if not known:
        return None
    scores = sorted(
        ((sum(_weight(learned, type_, token) for token in known), type_) for type_ in learned.sizes),
        reverse=True,
    )
    second = scores[1][0] if len(scores) > 1 else scores[0][0]
    type_ = scores[0][1]
    worth = {token: _worth(learned, token) for token in tokens}
    of_type = sum(worth[token] for token in known if token in learned.seen[type_])
    share = of_type / whole if (whole := sum(worth.values())) else 0.0
    return type_, 1 - math.exp(second - scores[0][0]), share


def _worth(learned: Learned, token: str) -> float:
    """Say how much a token tells of types: nothing where all show it, 1 where one does or nobody ever did."""
    types = sum(token in seen for seen in learned.seen.values())
    return 1 - max(0, types - 1) / max(1, len(learned.sizes) - 1)


def _reasons(learned: Learned, type_: str, tokens: frozenset[str]) -> tuple[str, ...]:
    """Name the tokens that speak most for a type and least for any other."""
    others = [other for other in learned.sizes if other != type_]
    spoken = [
        (
            _weight(learned, type_, token)
            - max((_weight(learned, other, token) for other in others), default=0.0),
            token,
        )
        for token in tokens
        if token in learned.seen[type_]
    ]
    return tuple(
        token[:REASON_LENGTH_MAX] for _, token in sorted(spoken, key=lambda one: (-one[0], one[1]))[:REASONS]
    )


def _curve(points: Sequence[tuple[float, float, bool]]) -> tuple[float, float, float]:
    """Fit how often guesses were right, by margin and share of known tokens: logistic, by descent, with a small ridge."""
    if not points:
        return (-10.0, 0.0, 0.0)
    points = [*points, (0.0, 0.0, False)]  # what shows nothing that tells types apart is guessed by chance
    right = sum(one[2] for one in points)
    high, low = (right + 1) / (right + 2), 1 / (len(points) - right + 2)
    constant = of_margin = of_known = 0.0
    for _ in range(_STEPS):
        steps = [0.0, _RIDGE * of_margin, _RIDGE * of_known]
        for margin, known, is_right in points:
            off = _logistic(constant + of_margin * margin + of_known * known) - (high if is_right else low)
            steps[0] += off / len(points)
            steps[1] += off * margin / len(points)
            steps[2] += off * known / len(points)
        constant -= _RATE * steps[0]
        # More of a margin or more that is known never makes a guess less sure.
        of_margin = max(0.0, of_margin - _RATE * steps[1])
        of_known = max(0.0, of_known - _RATE * steps[2])
    return constant, of_margin, of_known


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))
