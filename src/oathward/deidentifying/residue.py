"""The search of everything that was written for everything that is known of the persons it came from.

Rules:
- What a profile takes away or changes is searched for, of every patient of the job in every file: identifiers, telephone numbers and
  e-mail of ``LENGTH_MIN`` letters and digits or more, full names, names of organisations of two words or more, street and number, full birth dates.
- In plain form, whatever separators stand between words; in what lies in base64 too, in UTF-16 that has its mark, and in the
  character sets that a format knows of its texts.
- A letter of a script that writes without spaces says as much as ``UNSPACED`` others.
- Birth dates where a profile leaves dates: in the files alone that say them. Of many patients somebody was born on any day.
- Only keyed hashes are kept, under a key of the job: the process that holds them all knows no value.

Deliberately absent: single names, identifiers and streets of one word without a digit (``UNKNOWN``, ``PROVIDER``), short numbers. They are words of every text; the guard of live links counts them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import permutations

from oathward.core.words import WordHasher, token_of
from oathward.deid.profile import Profile
from oathward.deid.text.model import Known

LENGTH_MIN, LENGTH_MAX = 6, 64
UNSPACED, _UNSPACED_FROM = 3, "\u2e80"
RUNS_MAX = 5
"""Words that one value may be written as: ``555-12-3456``, ``12 Long Street``."""
DEPTH_MAX = 3
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

BIRTHS = ".birth-date"
NOTHING: Mapping[bytes, str] = {}

_KEPT = frozenset(("keep", "listed"))
_PLACE = "organisation.name"
_DATED = frozenset(("keep", "shift"))
_NAMES_MAX = 6
_WORDS = re.compile(r"[^\W_]+")
_CODED = re.compile(r"[A-Za-z0-9+/\n]{24,}={0,2}")
_WHOLE = ("", "street")
_SEARCHED = ("name", "identifier", "contact", "address", "birth-date", "encounter")


def words_of(known: Known, profile: Profile, hasher: WordHasher) -> dict[bytes, str]:
    """Hash what is to be searched for of one unit: hash -> class."""
    found: dict[bytes, str] = {}
    names: dict[str, list[str]] = {}
    places = profile.action_of("location") in _KEPT  # who keeps them keeps what they are called
    for cls, part, value in known.values:
        kind = cls.rpartition(".")[2]
        if kind not in _SEARCHED or profile.action_of(cls) in _KEPT:
            continue
        token = token_of(value)
        if cls == _PLACE:
            if not places and " " in value.strip() and _tells(kind, value, token):
                found[hasher.token(token)] = cls
        elif kind == "name":  # every part counts: its family name is the first alone
            if _length(token) > 1 and len(names.setdefault(cls, [])) < _NAMES_MAX and token not in names[cls]:
                names[cls].append(token)
        elif part in _WHOLE and _tells(kind, value, token):
            found[hasher.token(token)] = cls
    return found | {hasher.token(whole): cls for cls, listed in names.items() for whole in _full(listed)}


def _full(names: list[str]) -> Iterator[str]:
    """Give the full names that some names of one person make."""
    for pair in permutations(names, 2):
        whole = "".join(pair)
        if _length(whole) >= LENGTH_MIN:
            yield whole


def _length(token: str) -> int:
    """Count letters and digits."""
    if token.isascii():
        return len(token)
    return sum(UNSPACED if letter >= _UNSPACED_FROM else 1 for letter in token)


def leaves_dates(profile: Profile) -> bool:
    """Say whether whole days leave, true or moved."""
    return any(cls.endswith((".time", BIRTHS)) and action in _DATED for cls, action in profile.actions)


def _tells(kind: str, value: str, token: str) -> bool:
    """Say whether a value is long enough to be somebody's, and no word of every text."""
    word = kind != "contact" and len(_WORDS.findall(value)) == 1 and not any(map(str.isdigit, value))
    return not word and LENGTH_MIN <= len(token) <= LENGTH_MAX and len(set(token)) > 1


def found_in(
    data: bytes,
    hasher: WordHasher,
    known: Mapping[bytes, str],
    texts: Iterable[str] | None = None,
    own: Mapping[bytes, str] = NOTHING,
) -> Counter[str]:
    """Count by class what of the known stands in a file.

    Args:
        own: what is known besides, of this file alone.
        texts: of the file, where its format knows them better than by its bytes.
    """
    found: dict[bytes, str] = {}
    seen: set[str] = set()
    if known or own:
        for whole in (_decoded(bytes(data)),) if texts is None else texts:
            for text in _texts(whole, 0):
                for token in _tokens(text, seen):
                    hashed = hasher.token(token)
                    if hashed in known:
                        found[hashed] = known[hashed]
                    elif hashed in own:
                        found[hashed] = own[hashed]
    return Counter(found.values())


def _tokens(text: str, seen: set[str]) -> Iterator[str]:
    """Give every run of one to ``RUNS_MAX`` neighbouring words, as ``token_of`` writes it, unless it was seen."""
    # Of plain words in lower case ``token_of`` would give the same; there are many.
    words = _WORDS.findall(text.lower()) if text.isascii() else map(token_of, _WORDS.findall(text))
    window: list[str] = []
    for last in words:
        window.append(last)
        del window[:-RUNS_MAX]
        token = ""
        for word in reversed(window):
            token = word + token
            if len(token) > LENGTH_MAX:
                break
            if token not in seen and _length(token) >= LENGTH_MIN:
                seen.add(token)
                yield token


def _texts(text: str, depth: int) -> Iterator[str]:
    """Give a text and what lies in it in base64."""
    yield text
    if depth == DEPTH_MAX:
        return
    for match in _CODED.finditer(text):
        run = match[0].replace("\n", "")
        try:
            inner = base64.b64decode(run + "=" * (-len(run) % 4), validate=True)
        except (binascii.Error, ValueError):
            continue
        yield from _texts(_decoded(inner), depth + 1)


def _decoded(data: bytes) -> str:
    return data.decode("utf-16" if data[:2] in _UTF_16 else "utf-8", "replace")
