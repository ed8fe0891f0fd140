r"""Character sets of MSH-18, as names of Python codecs.

Rules:
- Names are those of HL7 table 0211; a few spellings that senders use are accepted beside them.
- A set where a separator's byte may be part of another character (Shift-JIS trail bytes, UTF-16 …) is not
  *transparent*: the reader turns such a message into UTF-8 before it looks for separators.
- Repetitions of MSH-18 name sets that escape sequences switch to; Python knows only families of them, so
  the family is chosen (``ISO IR87`` and its kin: ISO-2022-JP-2).
- No MSH-18, or ASCII: a message with bytes above 7F is read as UTF-8 where it is valid UTF-8, else as
  ISO 8859-1. Devices send a micro sign without saying so, and a lost unit is worse than a guessed one.
- An unknown name is refused (``Reason.CHARSET_UNSUPPORTED``); bytes that do not fit a declared multi-byte
  set too (``Reason.CHARSET_BROKEN``).

Deliberately absent: ``\C..\`` and ``\M..\`` switching inside a value (kept as written), CNS 11643 (no codec).

Source: HL7 v2.8.2 §2.14.9.18 (MSH-18), table 0211; ISO/IEC 2022; RFC 1554 (ISO-2022-JP-2).
"""

from __future__ import annotations

from dataclasses import dataclass

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason

UTF_8_NAME = b"UNICODE UTF-8"
"""What MSH-18 says in a message that was turned into UTF-8."""


@dataclass(frozen=True, slots=True)
class Charset:
    """A codec and what is known about its bytes.

    ``declared``: MSH-18 says it, and bytes that do not fit are an error. ``transparent``: every byte below
    80 is that ASCII character.
    """

    codec: str
    declared: bool = True
    transparent: bool = True


UNDECLARED = Charset("ascii", declared=False)
UTF_8 = Charset("utf-8")

_ISO_2022 = Charset("iso2022_jp_2", transparent=False)
_JIS_X_0201 = Charset("shift_jis", transparent=False)
_KS_X_1001 = Charset("euc_kr")
_WIDE = {name: Charset(codec, transparent=False) for name, codec in {
    b"UNICODE UTF-16": "utf-16", b"UNICODE UTF-32": "utf-32",
    b"BIG-5": "big5", b"GB 18030-2000": "gb18030",
}.items()}  # fmt: skip
_TABLE: dict[bytes, Charset] = {
    b"": UNDECLARED,
    b"ASCII": UNDECLARED, b"ISO IR6": UNDECLARED, b"US-ASCII": UNDECLARED,
    **{b"8859/%d" % n: Charset(f"iso8859-{n}") for n in range(1, 16) if n != 12},
    b"UNICODE": UTF_8, UTF_8_NAME: UTF_8,
    b"ISO IR14": _JIS_X_0201,
    b"ISO IR87": _ISO_2022, b"ISO IR159": _ISO_2022,
    b"KS X 1001": _KS_X_1001,
    **_WIDE,
    # Spellings seen on wires, outside table 0211.
    b"UTF-8": UTF_8, b"UTF8": UTF_8, b"UNICODE UTF8": UTF_8, b"ISO IR192": UTF_8,
    b"ISO-8859-1": Charset("iso8859-1"), b"ISO8859-1": Charset("iso8859-1"), b"ISO IR100": Charset("iso8859-1"),
    b"ISO-8859-15": Charset("iso8859-15"), b"WINDOWS-1252": Charset("cp1252"), b"CP1252": Charset("cp1252"),
    b"GB18030": _WIDE[b"GB 18030-2000"], b"BIG5": _WIDE[b"BIG-5"],
}  # fmt: skip


_DECLARED_BYTES_MAX = 500


def charset_of(msh18: bytes, repetition: int) -> Charset:
    """Find the character set that MSH-18 declares, repetitions included.

    Raises:
        DecodeError: ``CHARSET_UNSUPPORTED``, where the name is unknown or the combination has no codec.
    """
    found = _TABLE.get(msh18)
    if found is not None:
        return found
    if len(msh18) > _DECLARED_BYTES_MAX:
        raise DecodeError("MSH-18", "a name of table 0211", reason=Reason.CHARSET_UNSUPPORTED)
    names = [name.strip().upper() for name in msh18.split(bytes([repetition]))]
    sets = {_TABLE.get(name) for name in names}
    if None in sets:
        raise DecodeError("MSH-18", "a name of table 0211", reason=Reason.CHARSET_UNSUPPORTED)
    if _ISO_2022 in sets:
        sets -= {_KS_X_1001, _JIS_X_0201}  # ISO-2022-JP-2 switches to these too
    chosen = [charset for charset in sets - {UNDECLARED} if charset is not None]
    if len(chosen) > 1:
        raise DecodeError("MSH-18", "one character set, or ISO 2022 sets", reason=Reason.CHARSET_UNSUPPORTED)
    return chosen[0] if chosen else UNDECLARED


def settled(raw: bytes, charset: Charset) -> str:
    """Choose the codec of bytes that are not all ASCII.

    Raises:
        DecodeError: ``CHARSET_BROKEN``, where they do not fit the declared set.
    """
    if charset.declared:
        text_of(raw, charset)
        return charset.codec
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return "iso8859-1"
    return "utf-8"


def text_of(raw: bytes, charset: Charset) -> str:
    """Decode strictly.

    Raises:
        DecodeError: ``CHARSET_BROKEN``.
    """
    try:
        return raw.decode(charset.codec)
    except UnicodeDecodeError as error:
        # The byte itself stays out of the error, and out of its traceback.
        where = f"byte {error.start}"
    raise DecodeError(where, f"{charset.codec} as MSH-18 says", reason=Reason.CHARSET_BROKEN)


def unmarked(raw: bytes) -> tuple[bytes, Charset | None]:
    """Find Unicode by its first bytes: give them without the mark in UTF-8, and UTF-8; else as they are, and None.

    Raises:
        DecodeError: ``CHARSET_BROKEN``.
    """
    if raw.startswith(b"\xef\xbb\xbf"):
        return raw[3:], UTF_8
    for mark, codec in _MARKS:
        if raw.startswith(mark):
            return text_of(raw, Charset(codec, transparent=False)).lstrip("\ufeff").encode(), UTF_8
    return raw, None


_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
    (b"M\x00\x00\x00", "utf-32-le"), (b"\x00\x00\x00M", "utf-32-be"),
    (b"M\x00S\x00", "utf-16-le"), (b"\x00M\x00S", "utf-16-be"),
)  # fmt: skip
