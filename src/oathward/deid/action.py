"""What an action is, and what it gets to know.

Rules:
- An action sees an element class and a part when a plan is compiled, and a value when a message is shaped.
- It gives ``KEEP``, ``REMOVE`` or a transform; a transform that cannot do its work gives nothing, which removes.
- What comes out of a keyed action holds no part of the value (tested: no four characters in a row).

Deliberately absent: registration. A file in ``deid/actions`` with an ``ACTION`` is an action of its name.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from typing import Any

from oathward.core.errors import DeidentificationError
from oathward.core.registry import collect
from oathward.deid.text.model import Context
from oathward.protocols.shaping import Ruling

SEED_BYTES = 32
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Base 32 without I, L, O and U. Source: Crockford, Base 32."""

TOKEN_LENGTH = 16
_TOKEN_BYTES = TOKEN_LENGTH * 5 // 8
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_SHIFTS = range(5 * TOKEN_LENGTH - 10, -1, -10)
_RUN = 4

DAYS_LEAST, DAYS_MOST = 30, 365
"""How far dates move at least and at most, in days, back or forth."""

_ATTEMPTS = 256


@dataclass(frozen=True, slots=True)
class Seeds:
    """What one message is shaped with; secrets of one epoch, never stored.

    Args:
        subject_seed: 32 bytes, of this subject in this project.
        device_key: 32 bytes, of this project.
        outgoing_id: the control id of the outgoing message.
        year: the current year, UTC; 0 where unknown, then no year of birth passes.
        source: id of the device that sent it; a logical id means something at its sender alone.
        identity: identifiers leave as they are; else pseudonyms stand in their places.
        shared: the recipient knows the sender's logical ids: references leave as they are.
        days: how far this subject's dates move in this project (``days_of``); a secret, like the seed. 0 on every
            live link, and where nobody said: an action that moves dates refuses then.
        offset_min: of the site from UTC in minutes, without summer time: moved times that say an offset say this one.
        text: what free text is cleaned with; None where no text may pass.
    """

    subject_seed: bytes = field(repr=False)
    device_key: bytes = field(repr=False)
    outgoing_id: str
    year: int = 0
    source: str = field(default="", repr=False)
    identity: bool = field(default=True, repr=False)
    shared: bool = field(default=False, repr=False)
    days: int = field(default=0, repr=False)
    text: Context | None = field(default=None, repr=False)
    offset_min: int = 0
    edits: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What became of each text that was cleaned with these: bundles repeat most of theirs."""


Parameters = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Action:
    """One action.

    Args:
        rule: (element class, part, parameters) -> ruling.
        parameters: the names it takes, each a list of strings in the profile.
        keyed: whether it needs ``Seeds`` that are secret.
        shifts: whether it moves dates by a secret; never on a live link.
        wrong: parameters as a profile gives them -> what to write instead, by name; empty where they can be used.
    """

    rule: Callable[[str, str, Parameters], Ruling]
    parameters: frozenset[str] = frozenset()
    keyed: bool = False
    shifts: bool = False
    wrong: Callable[[Parameters], Mapping[str, str]] | None = None


@cache
def actions() -> Mapping[str, Action]:
    """Collect the built-in actions: name -> action."""
    found = collect("oathward.deid.actions", "ACTION")
    return {name: part for name, part in found.items() if isinstance(part, Action)}


def token(key: bytes, purpose: str, value: str) -> str:
    """Give a keyed, fixed-length name for ``value``; equal for equal values, whatever their spacing and form.

    Args:
        key: 32 bytes.
        purpose: keeps equal values of different kinds apart.
        value: what it stands for; empty where it stands for the owner of the key.

    Raises:
        DeidentificationError: no key.

    Source: RFC 7693 (keyed BLAKE2b); ISO 25237 (pseudonym).
    """
    if len(key) != SEED_BYTES:
        raise DeidentificationError("seeds", "32 bytes of key")
    text = unicodedata.normalize("NFC", value).strip()
    told = text.upper()
    for attempt in range(_ATTEMPTS):
        message = f"{attempt}\0{purpose}\0{text}".encode("utf-8", "surrogatepass")
        number = int.from_bytes(blake2b(message, key=key, digest_size=_TOKEN_BYTES).digest(), "big")
        made = "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
        # By chance a token may share characters with its value: take the next one then.
        if len(told) < _RUN or not any(told[i : i + _RUN] in made for i in range(len(told) - _RUN + 1)):
            return made
    raise DeidentificationError("token", "a value that leaves room for a pseudonym")


def draws(key: bytes, purpose: str, value: str) -> Iterator[bytes]:
    """Give keyed bytes for ``value``, 64 at a time, for actions that make a form of their own of them.

    The first that shares no run with the value is taken: the caller asks ``shares`` and goes on to the next.

    Args:
        key: 32 bytes.
        purpose: keeps equal values of different kinds apart.
        value: what they stand for.

    Raises:
        DeidentificationError: no key, or none of them would do.

    Source: RFC 7693 (keyed BLAKE2b).
    """
    if len(key) != SEED_BYTES:
        raise DeidentificationError("seeds", "32 bytes of key")
    for attempt in range(_ATTEMPTS):
        message = f"{attempt}\0{purpose}\0{value}".encode("utf-8", "surrogatepass")
        yield blake2b(message, key=key).digest()
    raise DeidentificationError(purpose, "a value that leaves room for a pseudonym")


def shares(made: str, value: str) -> bool:
    """Say whether four characters in a row of ``value``, one of them a letter or digit, are in ``made``; case is nothing."""
    text, found = value.upper(), made.upper()
    runs = {text[i : i + _RUN] for i in range(len(text) - _RUN + 1)}
    return any(run in found and any(map(str.isalnum, run)) for run in runs)


def days_of(subject_seed: bytes) -> int:
    """Give by how many whole days a subject's dates move in a project, the same in every format; never 0.

    Whole days: the time of day and every interval of the subject stay. Days of the week do not.

    Args:
        subject_seed: 32 bytes, of this subject in this project.

    Raises:
        DeidentificationError: no seed.

    Source: DICOM PS3.15 Annex E, Retain Longitudinal Temporal Information with Modified Dates.
    """
    if len(subject_seed) != SEED_BYTES:
        raise DeidentificationError("seeds", "32 bytes of key")
    many = DAYS_MOST - DAYS_LEAST + 1
    number = int.from_bytes(blake2b(b"days", key=subject_seed, digest_size=16).digest(), "big") % (2 * many)
    return DAYS_LEAST + number if number < many else -(DAYS_LEAST + number - many)
