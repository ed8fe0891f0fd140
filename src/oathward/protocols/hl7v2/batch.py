"""Batches: files and frames that hold several messages.

Rules:
- A message keeps its bytes; headers and trailers (FHS, BHS, BTS, FTS) belong to none.
- A batch with a header needs its trailer, and counts in trailers must agree: a file that was cut off is not
  half a file.
- Several messages without any header (two MSH in one frame) are several messages.

Deliberately absent: the answer to a batch; each message gets its own.

Source: HL7 v2.8.2 §2.10.3 (batch protocol), §2.14.2 (BHS), §2.14.3 (BTS), §2.14.6 (FHS), §2.14.7 (FTS).
"""

from __future__ import annotations

import re
from itertools import islice

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason

MESSAGES_MAX = 10_000
FRAME_MESSAGES_MAX = 1_000
"""For what came over a wire: one frame may not keep others waiting."""

_HEADERS = (b"FHS", b"BHS")
_LINE_ENDS = re.compile(rb"[\r\n]")
_BOUNDARY = re.compile(rb"(?:\A|(?<=[\r\n]))(?:\xef\xbb\xbf)?(MSH|FHS|BHS|BTS|FTS)(?![A-Za-z0-9])")


def split_batch(raw: bytes, *, messages_max: int = MESSAGES_MAX) -> list[bytes]:
    """Cut a frame or file into its messages, byte for byte; a plain message gives ``[raw]``.

    A batch with a header needs its trailer, and counts in trailers (FTS-1, BTS-1) must agree: a file that
    was cut off is not half a file.

    Raises:
        DecodeError: BATCH_BROKEN, LIMIT_EXCEEDED.
    """
    marks = _marks(raw, messages_max) if _may_be_batch(raw) else []
    if len(marks) < 2 and (not marks or marks[0][1] == b"MSH"):
        return [raw]
    if raw[: marks[0][0]].strip(b"\r\n\xef\xbb\xbf"):
        raise DecodeError("batch", "a header first", reason=Reason.BATCH_BROKEN)
    messages: list[bytes] = []
    counts: dict[bytes, int] = {}
    for (start, name), end in zip(marks, [start for start, _ in marks[1:]] + [len(raw)], strict=True):
        if name == b"MSH":
            messages.append(raw[start:end])
            counts[b"messages"] = counts.get(b"messages", 0) + 1
            continue
        _check_batch_segment(name, raw[start:end], counts)
    if b"FHS" in counts or b"BHS" in counts:
        raise DecodeError("batch", "a trailer for each header", reason=Reason.BATCH_BROKEN)
    if len(messages) > messages_max:
        raise DecodeError("batch", f"at most {messages_max} messages", reason=Reason.LIMIT_EXCEEDED)
    return messages


def _marks(raw: bytes, messages_max: int) -> list[tuple[int, bytes]]:
    """Find where messages, headers and trailers start; stop where there are more than a batch can have."""
    most = 3 * messages_max + 2  # each message may be a batch of its own
    marks = [(m.start(1), m[1]) for m in islice(_BOUNDARY.finditer(raw), most + 1)]
    if len(marks) > most:
        raise DecodeError("batch", f"at most {messages_max} messages", reason=Reason.LIMIT_EXCEEDED)
    return marks


def _may_be_batch(raw: bytes) -> bool:
    if not raw.startswith(b"MSH") or 10 in raw:
        return True
    last = raw.rfind(b"\r", 0, -1) + 1
    return raw.find(b"\rMSH") >= 0 or raw.startswith((b"BTS", b"FTS"), last)


def _check_batch_segment(name: bytes, span: bytes, counts: dict[bytes, int]) -> None:
    """Follow headers and trailers; ``counts`` holds the open ones and the messages and batches seen in them."""
    bad = DecodeError(name.decode(), "headers, messages and trailers in order", reason=Reason.BATCH_BROKEN)
    lines = [line for line in _LINE_ENDS.split(span) if line]
    if len(lines) != 1 or (name in counts and name in _HEADERS):
        raise bad
    if name in _HEADERS:
        counts[name] = 1
        counts[b"messages" if name == b"BHS" else b"batches"] = 0
        return
    opened, counted = (b"BHS", b"messages") if name == b"BTS" else (b"FHS", b"batches")
    stated = lines[0][4:].split(lines[0][3:4] or b"|")[0].strip()
    counted_bytes = b"%d" % counts.get(counted, 0)
    if opened not in counts or (stated.isdigit() and (stated.lstrip(b"0") or b"0") != counted_bytes):
        raise bad
    del counts[opened]
    counts[counted] = 0
    if name == b"BTS":
        counts[b"batches"] = counts.get(b"batches", 0) + 1
