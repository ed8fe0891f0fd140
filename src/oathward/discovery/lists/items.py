"""Objects of a JSON list one after the other, however long the list is: NDJSON, an array, or the arrays of an envelope.

Rules:
- One object is in memory at a time, of at most ``ITEM_BYTES_MAX``; a larger one is refused and passed over.
- What stands in a list and is no object is refused.
- The envelope itself comes last, with its arrays empty.
- Brackets and texts are followed byte by byte; whether each object is JSON is said by the parser that reads it.

Source: RFC 8259.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

ITEM_BYTES_MAX = 4 * 1024 * 1024
DEPTH_MAX = 200

_OUTSIDE = re.compile(rb'["{}\[\]]')
_INSIDE = re.compile(rb'["\\]')
_KEY = re.compile(rb'"([^"\\]{0,64})"\s*:\s*\Z')
_BETWEEN = b" \t\r\n,"


class Item(NamedTuple):
    """One object. ``number``: from 1; ``under``: key of its array, empty for one that stands alone; ``wrong``: why it is none."""

    number: int
    under: str
    value: Any
    wrong: InputError | None = None


def items(blocks: Iterable[bytes], arrays: frozenset[str]) -> Iterator[Item]:
    """Give the objects of a list.

    Args:
        arrays: keys of an envelope whose arrays hold objects of the list.

    Raises:
        InputError: the brackets do not fit, it ends in the middle, or it is not UTF-8.
    """
    yield from _Scan(arrays).run(blocks)


class _Scan:
    """Where the reader stands. ``opened``: depth at which the object that is gathered began; -1 where none is."""

    def __init__(self, arrays: frozenset[str]) -> None:
        self.arrays = arrays
        self.depth = self.number = 0
        self.in_text = self.skip = False
        self.list_at = -1  # depth inside the array whose objects are given
        self.under = ""
        self.item = _Gathered()
        self.whole = _Gathered()  # the envelope, without those objects
        self.gathers = False

    def run(self, blocks: Iterable[bytes]) -> Iterator[Item]:
        first = True
        for block in blocks:
            if first and block:
                if block[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in block[:4]:
                    raise InputError("file", "must be UTF-8", reason=Reason.CHARSET_UNSUPPORTED)
                block, first = block.removeprefix(b"\xef\xbb\xbf"), False
            yield from self._block(block)
        if self.depth or self.in_text:
            raise InputError("file", "ends in the middle", reason=Reason.TRUNCATED)
        if (wrong := self.whole.junk()) is not None:
            raise wrong

    def _block(self, block: bytes) -> Iterator[Item]:
        at, size = 0, len(block)
        while at < size:
            if self.skip:  # the sign behind a backslash
                self._keep(block[at : at + 1])
                self.skip, at = False, at + 1
                continue
            found = (_INSIDE if self.in_text else _OUTSIDE).search(block, at)
            if found is None:
                self._keep(block[at:])
                return
            sign, begin, at = found[0], at, found.end()
            if self.in_text or sign == b'"':
                self._keep(block[begin:at])
                self.skip = self.in_text and sign == b"\\"
                self.in_text = not self.in_text or self.skip
            elif sign in b"{[":
                self._keep(block[begin : at - 1])
                yield from self._open(sign)
            else:
                yield from self._close(block[begin:at], sign)

    def _open(self, sign: bytes) -> Iterator[Item]:
        inside = self.list_at >= 0
        if (
            not inside
            and sign == b"["
            and (self.depth == 0 or (self.depth == 1 and self.whole.key() in self.arrays))
        ):
            self.under = self.whole.key() if self.depth else ""
            if self.depth:
                self.whole.add(sign)
            self.list_at = self.depth + 1
        elif inside and self.depth == self.list_at and sign == b"{":
            if (wrong := self.item.junk()) is not None:
                yield self._given(None, wrong)
            self.item, self.gathers = _Gathered(), True
            self.item.add(sign)
        else:
            self._keep(sign)
        self.depth += 1
        if self.depth > DEPTH_MAX:
            why = f"at most {DEPTH_MAX} objects and arrays within each other"
            raise InputError("file", why, reason=Reason.LIMIT_EXCEEDED)

    def _close(self, piece: bytes, sign: bytes) -> Iterator[Item]:
        self.depth -= 1
        if self.depth < 0:
            raise InputError("file", "closes more brackets than it opens", reason=Reason.JSON_INVALID)
        if self.gathers and self.depth == self.list_at:
            self._keep(piece)
            yield self._read(self.item)
            self.item, self.gathers = _Gathered(), False
        elif self.list_at >= 0 and self.depth == self.list_at - 1:
            self._keep(piece[:-1])
            if (wrong := self.item.junk()) is not None:
                yield self._given(None, wrong)
            self.item, self.list_at = _Gathered(), -1
            if self.depth:
                self.whole.add(sign)
            self.under = ""
        else:
            self._keep(piece)
            if self.depth == 0:
                yield self._read(self.whole)
                self.whole = _Gathered()

    def _keep(self, piece: bytes) -> None:
        (self.item if self.list_at >= 0 else self.whole).add(piece)

    def _read(self, gathered: _Gathered) -> Item:
        if gathered.size > ITEM_BYTES_MAX:
            why = f"an object has at most {ITEM_BYTES_MAX} bytes"
            return self._given(None, InputError("object", why, reason=Reason.LIMIT_EXCEEDED))
        try:
            value = orjson.loads(gathered.data)
        except orjson.JSONDecodeError:
            return self._given(None, InputError("object", "is not JSON", reason=Reason.JSON_INVALID))
        if not isinstance(value, dict):
            return self._given(None, InputError("object", "is no object", reason=Reason.ELEMENT_TYPE))
        return self._given(value, None)

    def _given(self, value: Any, wrong: InputError | None) -> Item:
        self.number += 1
        return Item(self.number, self.under, value, wrong)


class _Gathered:
    """Bytes of one object, no more than may be kept."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.size = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size <= ITEM_BYTES_MAX:
            self.data += piece

    def key(self) -> str:
        """Give the key behind which an array begins."""
        found = _KEY.search(bytes(self.data[-128:]))
        return found[1].decode("utf-8", "replace") if found else ""

    def junk(self) -> InputError | None:
        """Refuse what stands between objects."""
        if self.data.strip(_BETWEEN):
            return InputError("object", "is no object", reason=Reason.ELEMENT_TYPE)
        return None
