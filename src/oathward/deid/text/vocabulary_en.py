"""What an English word written large may be: an ordinary word, a name, a place, or nothing we know.

Rules:
- A word on our lists of ordinary and medical words, or formed like one (``-itis``, ``-pril``, ``-tion``), is ordinary; what is
  on a list of names as well is *weak*: it names somebody only beside something stronger.
- What no list knows is a name until something else says otherwise: a missing word costs a mark, a missing name costs a person.

Deliberately absent: where a word stands (``capitals_en``).
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import cache, lru_cache

from oathward.deid.text.dictionary import listed


class Kind(IntEnum):
    """What a word may be; the larger, the more it says that somebody is named."""

    ORDINARY = 0
    INITIAL = 1
    WEAK = 2
    UNKNOWN = 3
    NAME = 4


_ENDS = re.compile(
    r".{2,}(?:itis|osis|oses|a?emias?|aemic|emic|olog(?:y|ist|ists|ic|ical)|ectom(?:y|ies)|otom(?:y|ies)|ostomy|oscop(?:y|ic)|opath(?:y|ies|ic)|"
    r"plasty|grams?|graph(?:y|ic)|uria|uric|algia|megaly|pril|sartan|olols?|statins?|mab|mabs|nib|cillin|mycin|micin|cycline|azole|azepam|zolam|"
    r"oxetine|gliptin|gliflozin|glutide|parin|xaban|grel|virs?|tidine|setron|triptans?|dronate|floxacin|thiazide|semide|lukast|terol|sone|"
    r"solone|caine|barbital|phylline|dipine|profen|pram|prazole|tropin|globulin|cytes?|cytic|cytosis|oma|omas|omata|trophy|trophic|plegia|paresis|"
    r"penia|philia|phobia|rrhea|rrhage|stenosis|toxic|toxicity|genic|genesis|lysis|lytic|ectasis|static|stasis|tions?|sions?|ments?|ness|ities|"
    r"ity|isms?|ables?|ibles?|ally|ously|ingly|edly|ized|ised|ization|izing|ative|atives|ances?|ences?|ship|hood|wise|less|fully|ful|ical|ically|"
    r"ological|otic|etic|atory|ivity|ability|ibility|eous|ious|uous|ology|logies|ographs?|ometer|ometry|ants|ents|itive|ative|ular|ary|eal|ial)"
)
_STEM = re.compile(r"(?:['’]s|s|es|ed|d|ing|er|ers|ly|al|y|ic)$")
_BEFORE = re.compile(
    r"^(?:non|pre|post|anti|un|re|hyper|hypo|inter|intra|over|under|multi|mis|dis|sub|micro|macro|immuno|neuro|cardio|gastro|hemo|peri|para|poly|tri|bi|electro|thrombo|psycho|patho|chemo|radio)-?"
)
_LONG = 6
_STEM_LETTERS = 3


@cache
def ordinary_words() -> frozenset[str]:
    """Our lists of ordinary and medical words."""
    return listed("ordinary_en") | listed("medical_en")


@cache
def names() -> frozenset[str]:
    """Our lists of given and family names."""
    return listed("given_en") | listed("family_en")


@cache
def places() -> frozenset[str]:
    """Our list of places, one word or more."""
    return listed("places_en")


@cache
def houses() -> frozenset[str]:
    """Our list of hospitals and insurers that stand alone."""
    return listed("organisations_en")


@cache
def eponyms() -> frozenset[str]:
    """Names that stand for a disease, a sign or a procedure."""
    return listed("eponyms_en")


@cache
def phrases() -> dict[str, tuple[tuple[str, ...], ...]]:
    """Places and organisations of several words: first word -> all words, longest first."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for phrase in places() | houses():
        words = tuple(phrase.replace(".", "").replace("-", " ").split())
        if len(words) > 1:
            found.setdefault(words[0], []).append(words)
    return {first: tuple(sorted(all_, key=len, reverse=True)) for first, all_ in found.items()}


@lru_cache(maxsize=65_536)
def ordinary(lower: str) -> bool:
    """Whether a word in lower case is on our lists, or formed like an ordinary one."""
    if lower in ordinary_words():
        return True
    if lower in names() or lower in places():
        return False
    if len(lower) >= _LONG and _ENDS.fullmatch(lower):
        return True
    return any(_stemmed(word) for word in (lower, _BEFORE.sub("", lower)))


def _stemmed(word: str) -> bool:
    """Whether a word is an ordinary one with an ending."""
    known = ordinary_words()
    stem = _STEM.sub("", word)
    if word in known or len(stem) < _STEM_LETTERS:
        return word in known
    made = {stem, f"{stem}e"}
    if stem[-1] == "i":
        made.add(f"{stem[:-1]}y")
    if len(stem) > _STEM_LETTERS and stem[-1] == stem[-2]:
        made.add(stem[:-1])
    return not made.isdisjoint(known)


@lru_cache(maxsize=65_536)
def kind(lower: str) -> Kind:
    """Say what a word in lower case may be where it is written large."""
    if len(lower) == 1:
        return Kind.INITIAL
    if lower in names():
        return Kind.WEAK if lower in listed("ambiguous_en") or lower in ordinary_words() else Kind.NAME
    if lower in places() or lower in houses():
        return Kind.WEAK if lower in listed("ambiguous_en") or lower in ordinary_words() else Kind.NAME
    if ordinary(lower) or lower in eponyms() or len(lower) < _STEM_LETTERS:
        return Kind.ORDINARY
    return Kind.UNKNOWN
