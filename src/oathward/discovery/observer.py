"""What an observer is: one file of ``observers/`` with ``OBSERVER``, found by ``observers()``.

Rules:
- ``knows`` looks at the first bytes and the name alone; where several know a source, the one with the lowest ``order`` reads it.
- ``read`` streams: it keeps no more than a block of the source and its own bounded tables, and yields often.
- It never stops because something in its source is wrong; it counts that and reads on, or ends where nothing can be found behind it.
- Time comes from the source, never from a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from oathward.core.registry import collect
from oathward.discovery.model import Around, Seen

HEAD_BYTES = 65_536
"""How much of a source ``knows`` is shown at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """One kind of source.

    Args:
        words: what it reads, for people: ``Zeek logs (TSV or JSON)``.
        knows: (first bytes, name in lower case) -> whether this is one. read: stream -> what was seen in it, part by part.
        datagram: one datagram of a socket -> what was seen, for sources that come as datagrams (NetFlow, IPFIX); None for others. It gets
            (data, exporter's address, received at in microseconds UTC, around).
        header: for sources that grow and can be read on from the end of any of their lines: how many of their first bytes every part needs before it
            (``comment_lines``; 0: none). None: one that is read whole or not at all.
        order: who is asked first.
    """

    words: str
    knows: Callable[[bytes, str], bool]
    read: Callable[[BinaryIO, Around], Iterator[Seen]]
    datagram: Callable[[bytes, str, int, Around], Seen] | None = None
    header: Callable[[bytes], int] | None = None
    order: int = 50


def comment_lines(head: bytes) -> int:
    """Count the bytes of the lines that a source begins with and that begin with ``#``; what has none needs nothing before it."""
    size = 0
    while head.startswith(b"#", size) and (end := head.find(b"\n", size)) >= 0:
        size = end + 1
    return size


def observers() -> dict[str, Observer]:
    """Give every observer by its name, whoever is asked first at the front."""
    found = cast("dict[str, Observer]", collect("oathward.discovery.observers", "OBSERVER"))
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))


def observer_of(head: bytes, name: str) -> tuple[str, Observer] | None:
    """Find who reads a source; None where nobody does."""
    lower = name.lower()
    return next(((key, one) for key, one in observers().items() if one.knows(head, lower)), None)
