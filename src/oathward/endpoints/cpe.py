"""Candidates of CPE 2.3 names for what an endpoint says of itself: for looking up vulnerabilities, never stated as fact. Pure.

Rules:
- A name is made of make, model and version by the spelling that the dictionary's names usually have: lower case, ``_`` for spaces, no legal form.
- The dictionary is not asked: a candidate may name nothing. Its confidence says how usual the spelling is, times nothing else.
- At most ``CANDIDATES_MAX``, the likeliest first.

Source: NISTIR 7695 (CPE 2.3 naming: formatted string binding, §6.2), NISTIR 7696 (matching).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

CANDIDATES_MAX = 8
_LEGAL = frozenset(
    [
        "inc",
        "incorporated",
        "corp",
        "corporation",
        "co",
        "company",
        "gmbh",
        "ag",
        "kg",
        "ltd",
        "limited",
        "llc",
        "plc",
        "sa",
        "sas",
        "srl",
        "spa",
        "bv",
        "nv",
        "ab",
        "oy",
        "as",
        "kk",
        "pty",
    ]
)
_GENERIC = frozenset(
    {
        "medical",
        "healthcare",
        "health",
        "systems",
        "technologies",
        "technology",
        "group",
        "international",
        "usa",
        "europe",
    }
)
_SPLIT = re.compile(r"[^a-z0-9.+\-]+")
_PLAIN = re.compile(r"[a-z0-9_]")


class Candidate(NamedTuple):
    """One name. ``confidence``: how usual its spelling is, 0 to 1."""

    name: str
    confidence: float


def candidates(make: str, model: str, version: str = "", *, part: str = "h") -> list[Candidate]:
    """Give candidates for a device or an operating system.

    Args:
        part: ``h`` for a device, of which the firmware is named as well; ``o`` for an operating system; ``a`` for an application.
    """
    found: dict[str, float] = {}
    for vendor, sure in _vendors(make):
        for product, usual in _products(model, vendor):
            if part == "h":
                _add(found, "o", vendor, f"{product}_firmware", version, sure * usual)
                _add(found, "h", vendor, product, "-", sure * usual * 0.9)
            else:
                _add(found, part, vendor, product, version, sure * usual)
    ranked = sorted(found.items(), key=lambda one: (-one[1], one[0]))[:CANDIDATES_MAX]
    return [Candidate(name, round(sure, 3)) for name, sure in ranked]


def _vendors(make: str) -> Iterator[tuple[str, float]]:
    words = [word for word in _words(make) if word.rstrip(".") not in _LEGAL]
    if not words:
        return
    yield "_".join(words), 0.6
    short = [word for word in words if word not in _GENERIC]
    if short and short != words:
        yield "_".join(short), 0.5
    if len(words) > 1:
        yield words[0], 0.4
        yield "".join(words), 0.2


def _products(model: str, vendor: str) -> Iterator[tuple[str, float]]:
    words = _words(model)
    if words and words[0] == vendor.split("_", 1)[0] and len(words) > 1:
        words = words[1:]  # the maker's name in front of the model's is left out
    if not words:
        return
    yield "_".join(words), 0.9
    if len(words) > 1:
        yield "-".join(words), 0.4
        yield "".join(words), 0.3


def _words(text: str) -> list[str]:
    return [word.strip(".-") for word in _SPLIT.split(text.casefold()[:120]) if word.strip(".-")]


def _add(found: dict[str, float], part: str, vendor: str, product: str, version: str, sure: float) -> None:
    said = version if version == "-" else _quoted("_".join(version.casefold().split())[:60]) or "*"
    name = f"cpe:2.3:{part}:{_quoted(vendor)}:{_quoted(product)}:{said}:*:*:*:*:*:*:*"
    found[name] = max(found.get(name, 0.0), sure)


def _quoted(text: str) -> str:
    return "".join(
        one if _PLAIN.fullmatch(one) or one in "-." else f"\\{one}"
        for one in text
        if one.isascii() and one.isprintable()
    )
