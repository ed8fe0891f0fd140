"""What a reading of one capture has noted so far: statements, each once in a while, and what could not be read.

Rules:
- A statement is made when it is first true and again every ``AGAIN_US`` of the capture's time: "last seen" is that exact.
- Texts are claims of strangers: what prints, on one line, cut.
- What is remembered is bounded; where the bound is met, memory starts anew, and things are said again.
- ``held`` counts the bytes that readers keep for later, over all flows.

Deliberately absent: values of patients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop

from oathward.core.reasons import Reason
from oathward.discovery.model import VALUE_LENGTH_MAX, Around, Fact, Mark, Statement
from oathward.discovery.values import host, printable

AGAIN_US = 15 * 60 * 1_000_000
SAID_MAX = 50_000
NAMES_MAX = 50_000
REMEMBERED_MAX = 32_768
"""Addresses whose text is not made anew each time."""

HELD_BYTES_MAX = 64 * 1024 * 1024
"""Over all flows; who is over it is not reassembled any further."""


class Notes:
    """What was noted. ``names``: address -> what DNS last answered for it."""

    def __init__(self, around: Around) -> None:
        self.around = around
        self.statements: list[Statement] = []
        self.refused: Counter[tuple[Reason, str]] = Counter()
        self.names: dict[str, str] = {}
        self.held_bytes = 0
        self._said: dict[tuple[object, ...], int] = {}

    def say(
        self,
        us: int,
        what: str,
        marks: Iterable[Mark],
        facts: Iterable[Fact] = (),
        segment: str = "",
        behind: tuple[Mark, ...] = (),
    ) -> None:
        """Make a statement, unless the same was made a short while ago; nothing without a mark.

        Args:
            what: of the capture it was seen in: ``dhcp`` makes the source ``pcap.dhcp``.
        """
        named, told = tuple(mark for mark in marks if mark.value), tuple(fact for fact in facts if fact.value)
        if not named:
            return
        key = (what, named, told, segment, behind)
        if not self.is_new(us, key):
            return
        source, realm = f"pcap.{what}", self.around.realm
        self.statements.append(
            Statement(us, source, realm, named, told, segment or self.around.segment, behind)
        )

    def is_new(self, us: int, key: tuple[object, ...]) -> bool:
        """Say whether nothing of this key was said for a while, and remember that it is now."""
        last = self._said.get(key)
        if last is not None and 0 <= us - last < AGAIN_US:
            return False
        if len(self._said) >= SAID_MAX:
            self._said.clear()
        self._said[key] = us
        return True

    def refuse(self, reason: Reason, place: str) -> None:
        """Count what could not be read."""
        self.refused[reason, place] += 1

    def named(self, address: str, name: str) -> None:
        """Remember what an address was called in an answer."""
        if len(self.names) >= NAMES_MAX:
            self.names.clear()
        self.names[address] = name


@lru_cache(REMEMBERED_MAX // 4)
def _text(value: bytes | str) -> str:
    return printable(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)


def text(value: bytes | str) -> str:
    """Give a claim as text, as ``discovery.values`` keeps one."""
    return _text(value[: 4 * VALUE_LENGTH_MAX])


@lru_cache(REMEMBERED_MAX // 4)
def _folded(value: bytes | str) -> str:
    return host(text(value))


def folded(value: bytes | str) -> str:
    """Give a name as names are compared."""
    return _folded(value[: 4 * VALUE_LENGTH_MAX])


@lru_cache(REMEMBERED_MAX)
def written(address: bytes) -> str:
    """Write an address of IP, of 4 or 16 bytes."""
    return inet_ntop(AF_INET if len(address) == 4 else AF_INET6, address)


@lru_cache(REMEMBERED_MAX)
def mac(value: bytes) -> str:
    """Write a network card's address; empty where it is none of one card."""
    if len(value) != 6 or value[0] & 1 or not any(value):
        return ""
    return value.hex(":")
