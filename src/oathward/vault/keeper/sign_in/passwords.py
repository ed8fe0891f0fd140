"""Passwords of local accounts: hashed with Argon2id, and refused where everybody would guess them.

Rules:
- Length alone is asked for, no mixture of kinds of characters; every printable character counts, spaces too.
- Refused: what everybody uses (``_WORDS``, alone or with figures and marks around, doubled, backwards, or written with
  figures for letters), rows of keys, counting, one thing repeated, and what is made of the person's or site's names.
- A password is compared as NFC, so that two keyboards that write one letter differently agree.
- Whether a login exists costs the same to find out as a wrong password: ``Hashes.verify`` hashes either way.
- Few hash at once: each takes ``MEMORY_KIB``.

Deliberately absent: leaked passwords (``leaked``), questions, hints, and expiry by age.

Source: NIST SP 800-63B-4 §3.1.1; OWASP Password Storage Cheat Sheet (Argon2id, 19 MiB, 2 passes); OWASP ASVS 5.0 V6.2;
RFC 9106; RFC 8265 §4.2 (NFC).
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import pairwise

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason

LENGTH_MAX = 256
MEMORY_KIB, PASSES, LANES = 19_456, 2, 1
AT_ONCE_MAX = 4
WAIT_S_MAX = 10.0
_CONTEXT_LENGTH_MIN = 4
_REST_MIN = 8
"""So many characters must be left of a password when the words everybody knows are taken out of it."""

_WORDS = frozenset(
    [
        "password",
        "passwort",
        "passphrase",
        "passcode",
        "pass",
        "kennwort",
        "motdepasse",
        "contrasena",
        "wachtwoord",
        "senha",
        "parola",
        "secret",
        "secure",
        "security",
        "geheim",
        "admin",
        "administrator",
        "root",
        "user",
        "guest",
        "login",
        "logon",
        "signin",
        "letmein",
        "enter",
        "open",
        "welcome",
        "willkommen",
        "hello",
        "hallo",
        "welcomeback",
        "changeme",
        "changeit",
        "change",
        "default",
        "standard",
        "temporary",
        "temp",
        "test",
        "tester",
        "testing",
        "demo",
        "sample",
        "example",
        "please",
        "master",
        "super",
        "superman",
        "batman",
        "dragon",
        "monkey",
        "tiger",
        "shadow",
        "princess",
        "sunshine",
        "football",
        "baseball",
        "soccer",
        "hockey",
        "liverpool",
        "chelsea",
        "arsenal",
        "iloveyou",
        "love",
        "lovely",
        "trustno",
        "one",
        "two",
        "three",
        "four",
        "summer",
        "winter",
        "spring",
        "autumn",
        "fall",
        "sommer",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "hospital",
        "clinic",
        "klinik",
        "krankenhaus",
        "doctor",
        "nurse",
        "patient",
        "medical",
        "medicine",
        "health",
        "healthcare",
        "ward",
        "surgery",
        "computer",
        "internet",
        "server",
        "system",
        "network",
        "database",
        "oathward",
        "console",
        "keeper",
        "company",
        "office",
        "work",
        "nothing",
        "whatever",
        "asdf",
        "qwer",
        "yxcv",
        "abcd",
        "abc",
        "xyz",
        "correct",
        "horse",
        "battery",
        "staple",
        "correcthorsebatterystaple",
    ]
)
_ROWS = (
    *("qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm", "qsdfghjklm", "wxcvbn"),
    *(
        "abcdefghijklmnopqrstuvwxyz",
        "01234567890123456789",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik",
        "1q2w3e4r5t6z7u8i9o0p",
    ),
    *("1q2w3e4r5t6y7u8i9o0p", "qayxswedcvfrtgbnhzujm"),
)
_AS_LETTERS = str.maketrans("013457@$!|", "oieastasil")
_RUN_LENGTH_MIN = 3


def check_new(password: str, length_min: int, context: Iterable[str]) -> None:
    """Refuse a new password that is too short or that somebody would guess.

    Args:
        context: names, login, mail, site: what everybody knows.

    Raises:
        KeeperError: ``PASSWORD_REFUSED``; says why, without the password.
    """
    text = normal(password)
    if not all(one.isprintable() for one in text):
        raise _refused("holds a character that cannot be typed")
    if len(text) < length_min:
        raise _refused(f"must have at least {length_min} characters")
    if len(text) > LENGTH_MAX:
        raise _refused(f"must have at most {LENGTH_MAX} characters")
    rest = left_of(text, context)
    if rest < min(_REST_MIN, length_min):
        raise _refused("is made of words, rows or names that everybody tries first")


def left_of(text: str, context: Iterable[str] = ()) -> int:
    """Count the characters that are left when known words, names, rows and repetitions are taken out.

    The least that any way of reading it (figures as letters, backwards) leaves.
    """
    plain = text.casefold()
    names = {word for one in context for word in _parts(one)}
    known = sorted(_WORDS | names, key=len, reverse=True)
    joined = "".join(one for one in plain if one.isalnum() or not one.isascii())
    readings = {plain, joined, plain.translate(_AS_LETTERS)}
    readings |= {one[::-1] for one in readings}
    return min(_left(one, known) for one in readings)


def normal(password: str) -> str:
    """Give the form that is hashed."""
    return unicodedata.normalize("NFC", password)


class Hashes:
    """Argon2id with our figures; ``verified`` counts every verification, of a real hash or of the dummy."""

    def __init__(
        self, *, memory_kib: int = MEMORY_KIB, passes: int = PASSES, at_once_max: int = AT_ONCE_MAX
    ) -> None:
        self._hasher = PasswordHasher(passes, memory_kib, LANES, type=Type.ID)
        self._slots = threading.BoundedSemaphore(at_once_max)
        self._dummy = _dummy(passes, memory_kib)
        self.verified = 0

    def make(self, password: str) -> str:
        """Hash a new password."""
        with _slot(self._slots):
            return self._hasher.hash(normal(password))

    def verify(self, password: str, stored: str | None) -> bool:
        """Compare; where there is no such account the same work is done for nothing.

        Raises:
            KeeperError: ``KEEPER_UNAVAILABLE``: too many wait; nothing was compared.
        """
        with _slot(self._slots):
            self.verified += 1
            try:
                fits = self._hasher.verify(stored or self._dummy, normal(password))
            except (VerificationError, InvalidHashError):
                return False
        return fits and stored is not None

    def old(self, stored: str) -> bool:
        """Say whether a hash was made with other figures than today's."""
        return self._hasher.check_needs_rehash(stored)


@cache
def _dummy(passes: int, memory_kib: int) -> str:
    """Make what is compared where there is no account; once a process, it costs what a hash costs."""
    return PasswordHasher(passes, memory_kib, LANES, type=Type.ID).hash("a password that nobody has")


class _slot:  # noqa: N801  used as a function in a `with`
    def __init__(self, slots: threading.BoundedSemaphore) -> None:
        self._slots = slots

    def __enter__(self) -> None:
        if not self._slots.acquire(timeout=WAIT_S_MAX):
            raise KeeperError("passwords", "too many at once", reason=Reason.KEEPER_UNAVAILABLE)

    def __exit__(self, *_: object) -> None:
        self._slots.release()


def _left(text: str, known: list[str]) -> int:
    for word in known:
        text = text.replace(word, "\0")
    left = re.sub(r"(.+?)\1+", r"\1", "".join(_without_rows(part) for part in text.split("\0")))
    return sum(one.isalpha() for one in left) + len({one for one in left if not one.isalpha()})


def _without_rows(text: str) -> str:
    """Take out runs of at least three neighbours on a keyboard, in the alphabet, or in counting."""
    pairs = _NEIGHBOURS
    kept, run = [], text[:1]
    for one in text[1:]:
        if run[-1] + one in pairs or run[-1] == one:
            run += one
            continue
        kept.append(run if len(run) < _RUN_LENGTH_MIN else run[0])
        run = one
    kept.append(run if len(run) < _RUN_LENGTH_MIN else run[:1])
    return "".join(kept)


def _parts(name: str) -> set[str]:
    words = re.split(r"[\W_]+", normal(name).casefold())
    return {word for word in words if len(word) >= _CONTEXT_LENGTH_MIN}


def _refused(why: str) -> KeeperError:
    return KeeperError("password", why, reason=Reason.PASSWORD_REFUSED)


_NEIGHBOURS = frozenset(
    pair for row in (*_ROWS, *(one[::-1] for one in _ROWS)) for pair in map("".join, pairwise(row))
)
