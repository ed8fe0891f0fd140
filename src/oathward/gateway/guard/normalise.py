"""Plain forms of outgoing bytes, and the forms that text can be hidden in.

Rules:
- ``fold`` gives lower case without accents and invisible marks; digits of any script become 0-9; what is
  neither letter nor digit stays where it is ASCII and becomes a space where it is not.
- ``squeeze`` leaves letters and digits only: spacing and punctuation change nothing.
- ``outline`` keeps the length and every letter but makes each digit a 0: two lines with one outline differ in
  digits only, so what was found out about the letters of one holds for the other.
- ``views`` opens one layer: HL7 and backslash escapes, percent and quoted-printable, entities and tags, base64,
  hexadecimal, UTF-16, gzip, zlib, deflate, and streams inside zip and PDF. The caller opens the next.
- Work is bounded: a ``Budget`` that runs out raises ``Unsearchable``, and what cannot be searched cannot leave.

Deliberately absent: ciphers, other compressions, pictures of text.

Source: RFC 4648 (base16, base64), RFC 1950-1952 (zlib, deflate, gzip), RFC 2045 §6.7, RFC 3986 §2.1, HL7 §2.7.
"""

from __future__ import annotations

import html
import quopri
import re
import unicodedata
import zlib
from binascii import Error as BinasciiError
from binascii import a2b_base64, unhexlify
from codecs import getincrementaldecoder
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from oathward.core.words import plain
from oathward.protocols.hl7v2.escapes import USUAL, Separators, unescape_bytes

DEPTH_MAX = 6
"""Layers opened one inside another."""
RUN_LENGTH_MIN = 8
"""Characters of base64 or hexadecimal that may hold a strong token: six digits need eight, or twelve."""
_BLOB_LENGTH = 96
"""Longer runs are searched whatever they hold: a picture or a document may carry text in the clear."""
_STREAMS_MAX = 64
_HEAD_BYTES = 64
_NUMBER = b"0123456789+-_/="


class Unsearchable(Exception):  # noqa: N818  it is an outcome: the guard turns it into a stop
    """There is more to open than the budget allows."""


class Budget:
    """Bytes that may still be produced by opening layers."""

    __slots__ = ("left_bytes",)

    def __init__(self, size_bytes: int) -> None:
        self.left_bytes = size_bytes

    def spend(self, size_bytes: int) -> None:
        """Take off what was produced.

        Raises:
            Unsearchable: it was too much.
        """
        self.left_bytes -= size_bytes + 16
        if self.left_bytes < 0:
            raise Unsearchable


class _Fold(dict[int, str]):
    """Map one character to its plain form, found out when first met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if category in {"Mn", "Me", "Cf"}:
            found = ""
        elif category == "Nd":
            found = str(unicodedata.decimal(character))
        elif category[0] in "LN":
            found = plain(character)
        else:
            folded = plain(character) if code > 127 else character
            found = folded if folded.isalnum() or code <= 127 else " "
        self[code] = found
        return found


_FOLD = _Fold()
_OUTLINE = bytes(48 if 48 <= code <= 57 else code for code in range(256))
_LOWER = bytes(code + 32 if 65 <= code <= 90 else code for code in range(256))
_LETTERS = bytes(
    code if 97 <= code <= 122 or code > 127 else code + 32 if 65 <= code <= 90 else 32 for code in range(256)
)
_NOT_ALNUM = bytes(code for code in range(128) if not chr(code).isalnum())


def text_of(data: bytes, charset: str = "iso8859-1") -> str:
    """Decode bytes that are meant to be read: UTF-8 where they are, else the message's set; never fails."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode(charset if charset not in {"ascii", "utf-8"} else "iso8859-1", "replace")


def fold(data: bytes, charset: str = "iso8859-1") -> bytes:
    """Give the plain form, as UTF-8; the position of ASCII characters is kept only where all are ASCII."""
    if data.isascii():
        return data.lower()
    return text_of(data, charset).translate(_FOLD).encode("utf-8", "replace")


def squeeze(data: bytes) -> bytes:
    """Give letters and digits only, ASCII in lower case."""
    return data.translate(_LOWER, _NOT_ALNUM)


UUID = re.compile(rb"(?<![0A-Za-z])[0A-Fa-f]{8}-(?:[0A-Fa-f]{4}-){3}[0A-Fa-f]{12}(?![0A-Za-z])")
"""Finds UUIDs in an outline."""
UUID_HYPHENS = 4
# A word of six letters; or a last part that is letters, digits and what stands between names (``Li,Bo``), or compressed,
# in hexadecimal, wherever it begins.
# Read as base64 a UUID is never text: at each of the four offsets a hyphen gives a byte that no UTF-8 has.
_TELLING = re.compile(
    rb"[a-f]{6}|0000[0-9a-f]{0,8}(?![0-9a-f-])|-[0-9a-f]?"
    rb"(?:(?:[46][0-9a-f]|5[0-9aef]|7[0-9ac]|3[0-9a]|2[067c-f]){4}|1f8b|78(?:01|5e|9c|da)|504b0304|25504446|fffe|feff)[0-9a-f]{3,10}(?![0-9a-f-])",
    re.IGNORECASE,
).search
NO_UUID = b"00000000-0000-0000-0000-000000000000"


def outline(data: bytes) -> bytes:
    """Give the same with every ASCII digit a 0, and every letter of a UUID that says nothing."""
    shape = data.translate(_OUTLINE)
    if shape.count(b"-") < UUID_HYPHENS:
        return shape
    return UUID.sub(lambda found: found[0] if _TELLING(data, *found.span()) else NO_UUID, shape)


def letter_words(folded: bytes) -> list[bytes]:
    """List the runs of letters of a folded text, in order."""
    return folded.translate(_LETTERS).split()


# --- one layer


_BACKSLASH_ESCAPE = re.compile(rb"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([nrt/\"'\\]))")
_HL7_FORMAT = re.compile(rb"\\\.[a-z]{2}[+-]?[0-9]{0,4}\\")
_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}")
_QUOTED = re.compile(rb"=(?:[0-9A-Fa-f]{2}|\r?\n)")
_ENTITY = re.compile(rb"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8}[0-9]{0,2});?")
_TAG = re.compile(rb"<[!/?]?[A-Za-z][^<>]{0,400}>")
_SPACED_HEX = re.compile(
    rb"(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[ ,:;\-]{1,2}){5,}(?:0x|\\x)?[0-9A-Fa-f]{2}(?![0-9A-Za-z])"
)
_RUN = re.compile(rb"[A-Za-z0-9+/_\-]{8,}(?:\r?\n[A-Za-z0-9+/_\-]{8,})*={0,2}")
_HEX = re.compile(rb"[0-9A-Fa-f]{12,}")
_TWENTY = b"0" * 20
_LONG_NUMBER = re.compile(rb"[0-9]{20}")
_NOT_GAPS = bytes(code for code in range(256) if code not in b" ,:;-")
_STREAM = re.compile(rb"stream\r?\n|PK\x03\x04")

_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")
_TEXT_BYTES = bytes(range(0x20, 0x7F)) + b"\t\n\r" + bytes(range(0x80, 0x100))
_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\t\n\r"


def is_layered(line: bytes, escape: int = USUAL.escape) -> bool:
    """Say whether ``views`` may find something in lines of an outline other than in runs with letters.

    Args:
        line: the outline.
        escape: the escape character of the original.
    """
    return (
        (escape != USUAL.escape and escape in line)
        or (92 in line and line.find(b"\\", 9 if line.startswith(b"MSH") else 0) >= 0)
        or 0 in line
        or (37 in line and _PERCENT.search(line) is not None)
        or (61 in line and _QUOTED.search(line) is not None)
        or (38 in line and _ENTITY.search(line) is not None and (59 in line or 35 in line))
        or (60 in line and _TAG.search(line) is not None)
        or _TWENTY in line
        or (len(line.translate(None, _NOT_GAPS)) >= 5 and _SPACED_HEX.search(line) is not None)
    )


def runs(data: bytes) -> list[bytes]:
    """List what may be base64 or hexadecimal: long runs of their characters; numbers only where they are long."""
    return [run for run in _RUN.findall(data) if run.translate(None, _NUMBER) or _LONG_NUMBER.search(run)]


def views(data: bytes, budget: Budget, separators: Separators = USUAL) -> Iterator[tuple[str, bytes]]:
    """Open one layer in every way that applies: pairs of its name and the bytes behind it.

    Args:
        separators: of the original; the usual escape character is tried too.

    Raises:
        Unsearchable: the budget is spent.
    """
    for name, opened in _opened(data, budget, separators):
        if opened and opened != data:
            budget.spend(len(opened))
            yield name, opened


def _opened(data: bytes, budget: Budget, separators: Separators) -> Iterator[tuple[str, bytes]]:
    yield from _inflated(data, budget)
    if 0 in data or data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        yield from _utf_16(data)
    if separators.escape != USUAL.escape and separators.escape in data:
        yield "hl7", unescape_bytes(data, separators)
    if 92 in data:
        yield "hl7", _HL7_FORMAT.sub(b" ", unescape_bytes(data, USUAL))
        yield "backslash", _BACKSLASH_ESCAPE.sub(_unbackslashed, data)
    if 37 in data and _PERCENT.search(data):
        yield "percent", unquote_to_bytes(data)
    if 61 in data and _QUOTED.search(data):
        yield "quoted-printable", quopri.decodestring(data)
    if 38 in data and _ENTITY.search(data):
        yield "entities", _without_entities(data)
    if 60 in data and _TAG.search(data):
        yield "tags", _TAG.sub(b" ", data)
        yield "tags", _TAG.sub(b"", data)
    for match in _SPACED_HEX.finditer(data):
        yield "hex", unhexlify(re.sub(rb"0x|[^0-9A-Fa-f]", b"", match[0]))
    for run in runs(data):
        budget.spend(len(run))
        yield from decoded(run)


def _without_entities(data: bytes) -> bytes:
    """Replace entities.

    Raises:
        Unsearchable: one has thousands of digits, which Python does not read.
    """
    try:
        return html.unescape(text_of(data)).encode("utf-8", "replace")
    except ValueError:
        raise Unsearchable from None


def _unbackslashed(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return chr(int(match[1], 16)).encode("utf-8", "replace")
    if match[2]:
        return bytes([int(match[2], 16)])
    return {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(match[3], match[3])


def decoded(run: bytes) -> list[tuple[str, bytes]]:
    """Decode a run as base64 at each of its four offsets and as hexadecimal; what makes sense of it.

    A part between slashes is decoded by itself too: in an address it begins where it likes.
    """
    found: list[tuple[str, bytes]] = []
    if b"/" in run and len(run) < _BLOB_LENGTH * 4:
        found += [one for part in run.split(b"/") if len(part) >= RUN_LENGTH_MIN for one in decoded(part)]
    joined = run.translate(_STANDARD_ALPHABET, b"\r\n=")
    if not joined.isdigit():
        for offset in range(4 if len(joined) < _BLOB_LENGTH * 4 else 1):
            piece = joined[offset:]
            piece = piece[: len(piece) - 1] if len(piece) % 4 == 1 else piece
            data = a2b_base64(piece + b"=" * (-len(piece) % 4))
            if _makes_sense(data) or (len(joined) >= _BLOB_LENGTH and offset == 0):
                found.append(("base64", data))
    for digits in _HEX.findall(run):
        for offset in (0, 1):
            piece = digits[offset:]
            try:
                data = unhexlify(piece[: len(piece) & ~1])
            except BinasciiError:  # pragma: no cover - the pattern gives hexadecimal digits only
                continue
            if _makes_sense(data) or (len(digits) >= 2 * _BLOB_LENGTH and offset == 0):
                found.append(("hex", data))
    return found


def _makes_sense(data: bytes) -> bool:
    """Say whether decoded bytes are text in one of its forms, or compressed."""
    if len(data) < 4:
        return False
    if not data[: max(4, len(data) - 2)].translate(None, _PRINTABLE):
        return True
    if data[:2] in _MAGIC or data[:4] in _MAGIC or data.count(0) * 5 >= len(data) * 2:
        return True
    return len(data) >= 8 and (_is_utf_8(data) or _deflated(data))


def _is_utf_8(data: bytes) -> bool:
    """Say whether bytes are text of another script, whole or cut off at the end."""
    if data.translate(None, _TEXT_BYTES):
        return False
    try:
        getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True


_MAGIC = frozenset((b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"PK\x03\x04", b"%PDF",
                    b"\xff\xfe", b"\xfe\xff"))  # fmt: skip


def _deflated(data: bytes) -> bool:
    """Say whether bytes are a raw deflate stream of text: a whole one, or the beginning of a long one."""
    block = data[0] & 7  # three bits: is it the last block, and of which kind
    if block > 5 or (len(data) < _HEAD_BYTES and not block & 1):
        return False
    opener = zlib.decompressobj(-15)
    try:
        head = opener.decompress(data, _HEAD_BYTES)
    except zlib.error:
        return False
    if not (opener.eof or len(head) == _HEAD_BYTES) or len(set(head)) < 4:
        return False
    if len(head) > 4 * len(data) or 2 * len(squeeze(head)) < len(head):
        return False  # a few random bytes easily stand for many equal ones
    return not head.translate(None, _PRINTABLE) or _is_utf_8(head)


def _utf_16(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        yield "utf-16", data.decode("utf-16", "replace").encode("utf-8", "replace")
        return
    for codec in ("utf-16-le", "utf-16-be"):
        yield "utf-16", data.decode(codec, "replace").replace("\0", "").encode("utf-8", "replace")
    yield "utf-16", data.replace(b"\0", b"")


def _inflated(data: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    if data[:2] == b"\x1f\x8b":
        yield "gzip", _inflate(data, 31, budget)
    elif data[:2] in _MAGIC and data[:1] == b"\x78":
        yield "zlib", _inflate(data, 15, budget)
    elif len(data) >= 8 and data.translate(None, _PRINTABLE) and _deflated(data):
        yield "deflate", _inflate(data, -15, budget)
    if b"stream" in data or b"PK\x03\x04" in data:
        for count, match in enumerate(_STREAM.finditer(data)):
            if count == _STREAMS_MAX:
                raise Unsearchable
            yield from _stream(data, match, budget)


def _stream(data: bytes, match: re.Match[bytes], budget: Budget) -> Iterator[tuple[str, bytes]]:
    start = match.end()
    if match[0] != b"PK\x03\x04":
        yield "pdf", _inflate(data[start:], 15, budget)
        return
    header = data[start - 4 : start + 26]
    if len(header) == 30 and header[8:10] == b"\x08\x00":
        start += 26 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        yield "zip", _inflate(data[start:], -15, budget)


def _inflate(data: bytes, window_bits: int, budget: Budget) -> bytes:
    """Expand as far as the stream goes.

    Raises:
        Unsearchable: it goes further than the budget.
    """
    opener = zlib.decompressobj(window_bits)
    try:
        opened = opener.decompress(data, budget.left_bytes + 1)
    except zlib.error:
        return b""
    budget.spend(len(opened))
    return opened
