"""Find traces of people in bytes, however they are written: the judge's own search.

Rules:
- It shares nothing with the product's guard; where the two agree, they agree by meaning the same.
- Every hit names a kind, a person and the form it was found in, never the value.
- Words of names count as whole words; numbers, addresses and e-mails count anywhere inside a field once
  everything but letters and digits is taken out.
- Forms: as it stands; HL7 escapes; each name and value of a JSON document by itself; UTF-16; base64, hex, percent and
  JSON escapes; deflate, zlib and gzip inside those; each inside the other, three deep.
- What random bytes, ids and series of numbers write by chance is no trace. A name of six letters or fewer, or a token of seven
  characters or fewer, does not count inside an unbroken run of 16 letters and digits (an id, a pseudonym), nor in binary
  in a run of fewer than 16 characters; of a series of 16 numbers or more each is read by itself. Everywhere else they count.

Deliberately absent: staff and organisations (a profile may keep them); a newborn's date of birth, which is
the date of every message of that day.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
import unicodedata
import urllib.parse
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from oathward_sim.hospital import Device, Patient
from oathward_sim.names import PARTICLES

_DEEP = 3
_WORD_LENGTH_MIN = 3
_SQUASHED_LENGTH_MIN = 6
_SHORT_WORD, _SHORT_TOKEN = 6, 7
"""What is no longer than this is written by chance: three letters once in 45 MB of random bytes, six once in 7 TB."""
_LONG_RUN = 16
_INFLATED_BYTES_MAX = 1 << 20
_PLACEHOLDERS = frozenset({"neonate", "unnamed", "zzunidentified"})

_STROKES = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ß": "ss", "\u0131": "i"}
)
_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})

_TEXT_BYTES = frozenset([*b"\t\r\n\x0b\x1c", *range(0x20, 0x7F), *range(0xA0, 0x100)])
_TEXT_SHARE_MIN = 0.95
_TEXT_RUNS = re.compile(
    rb"(?:[\x20-\x7e]|[\xc3-\xc5][\x80-\xbf]){6,}"
)  # ASCII and the letters of Europe in UTF-8
_SCRAPS = "scraps"

_FIELDS = re.compile(r"[|\r\n\x0b\x1c]+")
_WORDS = re.compile(r"[^\W\d_]+")
_RUNS = re.compile(rf"[^\W_]{{{_LONG_RUN},}}")
_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_NUMBERS = re.compile(_NUMBER)
_SERIES = re.compile(rf"\s*(?:{_NUMBER}[ ^~]+){{{_LONG_RUN - 1},}}{_NUMBER}\s*")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}[ :-]?){6,}")
_HL7_ESCAPE = re.compile(r"\\(?:X((?:[0-9A-Fa-f]{2})+)|([FSTRE]))\\")
_DATES = (
    (re.compile(r"(?<!\d)(\d{4})[-/. ]?(\d{2})[-/. ]?(\d{2})"), (1, 2, 3)),
    (re.compile(r"(?<!\d)(\d{2})[-/. ]?(\d{2})[-/. ]?(\d{4})(?!\d)"), (3, 2, 1)),
    (re.compile(r"(?<!\d)(\d{2})[-/. ]?(\d{2})[-/. ]?(\d{4})(?!\d)"), (3, 1, 2)),
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED_DATE = re.compile(rf"(?<!\d)(\d{{1,2}})[ .-]*({'|'.join(_MONTHS)})[a-z]*[ .,-]*(\d{{4}})")


@dataclass(frozen=True, slots=True)
class Trace:
    """A hit.

    Args:
        kind: name, identifier, phone, email, birth-date, address; device for what names one device.
        owners: hospital numbers of everyone who has that very value (mother and child, two registrations), or
            names of devices.
        form: how it was written, e.g. ``utf-8/base64/utf-8``.
    """

    kind: str
    owners: frozenset[str]
    form: str


_Hit = tuple[str, frozenset[str]]
_Hits = dict[str, set[str]]  # kind -> owners


class Index:
    """Everything that identifies these people and devices, ready to search for."""

    def __init__(self, people: Iterable[Patient], devices: Iterable[Device] = ()) -> None:
        self._words: dict[str, _Hits] = {}
        self._tokens: dict[str, _Hits] = {}
        self._dates: dict[str, _Hits] = {}
        for person in people:
            self._add(person)
        for device in devices:
            for value in (device.name, device.eui, device.serial):
                self._token(value, "device", device.name)
        self._lengths = sorted({len(token) for token in self._tokens})
        self._memo: dict[tuple[str, bool], frozenset[_Hit]] = {}

    def search(self, data: bytes) -> set[Trace]:
        """List every trace in some bytes."""
        return {trace for trace, _ in self.explain(data)}

    def explain(self, data: bytes) -> Iterator[tuple[Trace, str]]:
        """Give every trace with the text it was seen in, in which somebody's values may stand."""
        for form, text in views(data):
            for part in _FIELDS.split(text):
                for kind, owners in self._seen(part, scraps=_SCRAPS in form):
                    yield Trace(kind, owners, form), part

    def _add(self, p: Patient) -> None:
        for name in (p.family, p.given, *p.relative[:2]):
            for form in _spellings(name):
                for word in _WORDS.findall(form):
                    if len(word) >= _WORD_LENGTH_MIN and word not in PARTICLES | _PLACEHOLDERS:
                        _note(self._words, word, "name", p.mrn)
        for family in _spellings(p.family):
            for given in _spellings(p.given):
                if not {family, given} & _PLACEHOLDERS:
                    self._token(family + given, "name", p.mrn)
                    self._token(given + family, "name", p.mrn)
        for kind, value in (
            ("identifier", p.mrn), ("identifier", p.visit), ("identifier", p.insurance), ("phone", p.phone),
            ("phone", p.relative[2]), ("email", p.email), ("address", p.street),
        ):  # fmt: skip
            self._token(value, kind, p.mrn)
        if p.born and not p.mother:
            _note(self._dates, p.born, "birth-date", p.mrn)

    def _token(self, value: str, kind: str, owner: str) -> None:
        squashed = _squash(_plain(value))
        if len(squashed) >= _SQUASHED_LENGTH_MIN:
            _note(self._tokens, squashed, kind, owner)

    def _seen(self, part: str, *, scraps: bool) -> frozenset[_Hit]:
        key = part, scraps
        hits = self._memo.get(key)
        if hits is None:
            if len(self._memo) > 200_000:
                self._memo.clear()
            hits = self._memo[key] = frozenset(self._in_field(_plain(part), scraps=scraps))
        return hits

    def _in_field(self, plain: str, *, scraps: bool) -> Iterator[_Hit]:
        for piece in _NUMBERS.findall(plain) if _SERIES.fullmatch(plain) else (plain,):
            for hits in self._in_piece(piece, scraps=scraps):
                for kind, owners in hits.items():
                    yield kind, frozenset(owners)

    def _in_piece(self, plain: str, *, scraps: bool) -> Iterator[_Hits]:
        """Give who is named in a piece; short names and tokens only where no chance writes them.

        Args:
            scraps: whether it was picked out of binary.
        """
        steady = "" if scraps else _RUNS.sub(_without_id, plain)
        found = [self._words.get(word) for word in _WORDS.findall(plain) if len(word) > _SHORT_WORD]
        found += [self._words.get(word) for word in _WORDS.findall(steady) if len(word) <= _SHORT_WORD]
        found += [self._dates.get(date) for date in _dates_in(plain)]
        squashed, short = _squash(plain), _squash(steady)
        for length in self._lengths:
            text = short if length <= _SHORT_TOKEN else squashed
            found += [self._tokens.get(text[at : at + length]) for at in range(len(text) - length + 1)]
        return (hits for hits in found if hits)


def _without_id(run: re.Match[str]) -> str:
    """Leave a long run out where it has letters and digits, as ids and pseudonyms have; a long word stays."""
    return run[0] if run[0].isdigit() or run[0].isalpha() else " "


def _note(where: dict[str, _Hits], value: str, kind: str, mrn: str) -> None:
    where.setdefault(value, {}).setdefault(kind, set()).add(mrn)


def views(data: bytes, depth: int = _DEEP, form: str = "") -> Iterator[tuple[str, str]]:
    """Give every reading of some bytes: (form, text)."""
    for name, text in _texts(data):
        here = f"{form}{name}"
        yield here, text
        seen = {text}
        for way, other in _rewritten(text):
            if other not in seen:
                seen.add(other)
                yield f"{here}/{way}", other
        if depth == 0:
            continue
        for way, inner in _inside(text):
            yield from views(inner, depth - 1, f"{here}/{way}/")
    if depth:
        for way, inner in _inflated(data):
            yield from views(inner, depth - 1, f"{form}{way}/")


def _texts(data: bytes) -> Iterator[tuple[str, str]]:
    if data.count(0) * 4 >= len(data) > 0:  # as in UTF-16 of any European text
        for codec in ("utf-16-le", "utf-16-be"):
            yield codec, data.decode(codec, "replace")
    if scalars := _scalars(data):
        yield "json", scalars
        return
    try:
        yield "utf-8", data.decode()
    except UnicodeDecodeError:
        if sum(b in _TEXT_BYTES for b in data) >= len(data) * _TEXT_SHARE_MIN:
            yield "latin-1" if len(data) >= _LONG_RUN else _SCRAPS, data.decode("latin-1")
        else:  # binary: what a person would see in it
            runs = [run.decode() for run in _TEXT_RUNS.findall(data)]
            yield "strings", "\n".join(run for run in runs if len(run) >= _LONG_RUN)
            yield _SCRAPS, "\n".join(run for run in runs if len(run) < _LONG_RUN)


def _scalars(data: bytes) -> str:
    """Give what stands in a JSON document, one a line: digits of neighbours must not make one number. Else empty."""
    if data.lstrip()[:1] not in {b"{", b"["}:
        return ""
    try:
        found = json.loads(data, parse_float=str, parse_int=str, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return ""
    return "\n".join(_walk(found))


def _walk(value: object) -> Iterator[str]:
    if isinstance(value, list | tuple):  # an object is a list of pairs: a name may stand there twice
        for inner in value:
            yield from _walk(inner)
    elif isinstance(value, str):
        yield value


def _rewritten(text: str) -> Iterator[tuple[str, str]]:
    if "\\" in text:
        yield "hl7", _HL7_ESCAPE.sub(_unescape, text)
        if "\\u" in text:
            yield "json", re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)
    if "%" in text:
        yield "percent", urllib.parse.unquote(text, errors="replace")
    if "&" in text:
        yield "entities", re.sub(r"&#(x?)([0-9a-fA-F]+);", _entity, text)


def _inside(text: str) -> Iterator[tuple[str, bytes]]:
    for run in _BASE64.findall(text):
        body = run.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            yield "base64", base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
        except (binascii.Error, ValueError):
            continue
    for run in _HEX.findall(text):
        digits = re.sub(r"[ :-]", "", run)
        yield "hex", bytes.fromhex(digits[: len(digits) // 2 * 2])


def _inflated(data: bytes) -> Iterator[tuple[str, bytes]]:
    for way, bits in (("zlib", 15), ("deflate", -15)):
        inflating = zlib.decompressobj(bits)
        try:
            inner = inflating.decompress(data, _INFLATED_BYTES_MAX)
        except zlib.error:
            continue
        # Any bytes begin as deflate does, which says nothing of itself: it must end as well.
        whole = way == "zlib" or inflating.eof or len(inner) == _INFLATED_BYTES_MAX
        if whole and len(inner) > len(data) // 4:
            yield way, inner
    if data[:2] == b"\x1f\x8b":
        try:
            yield "gzip", gzip.decompress(data)[:_INFLATED_BYTES_MAX]
        except (OSError, EOFError, zlib.error):
            return


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        return bytes.fromhex(match[1]).decode("utf-8", "replace")
    return "\\" if match[2] == "E" else " "  # a separator inside a value must not cut it in two


def _entity(match: re.Match[str]) -> str:
    try:
        return chr(int(match[2], 16 if match[1] else 10))
    except (ValueError, OverflowError):
        return match[0]


def _plain(text: str) -> str:
    if text.isascii():
        return text.lower()
    bare = unicodedata.normalize("NFKD", text.lower().translate(_STROKES))
    return "".join(c for c in bare if unicodedata.category(c) not in {"Mn", "Me", "Cf"})


def _spellings(name: str) -> set[str]:
    return {_plain(name), _plain(name.lower().translate(_SPELLED))}


def _squash(plain: str) -> str:
    return "".join(c for c in plain if c.isalnum())


def _dates_in(plain: str) -> Iterator[str]:
    for pattern, (year, month, day) in _DATES:
        for match in pattern.finditer(plain):
            yield match[year] + match[month] + match[day]
    for match in _NAMED_DATE.finditer(plain):
        yield f"{match[3]}{_MONTHS.index(match[2]) + 1:02d}{int(match[1]):02d}"
