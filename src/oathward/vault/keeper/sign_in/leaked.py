"""Whether a new password is one of those that leaked and are tried first, or stands on the site's own list of leaked ones.

Rules:
- ``zxcvbn`` carries the 30,000 most used of ten million that leaked, and counts how many guesses find a password that is made of
  them, of common words and names, rows, dates, repetitions, and figures for letters: fewer than ``GUESSES_MIN`` refuse it.
- It reads the first ``READ_MAX`` characters: what is longer is not found sooner, and reading takes no longer than a second.
- A site's list is a site's own file (``[people] leaked_file``): SHA-1 in hexadecimal, one a line, in order, each perhaps with a
  count behind a colon, as such lists are handed out. It is searched where it lies, never read whole.
- Such a list that cannot be read, or is none, refuses every new password: who named one wants it asked.

Deliberately absent: asking anybody outside, passwords that are in use already (only their hashes are here).

Source: Wheeler, zxcvbn, USENIX Security 2016 (10^10: out of reach of guesses at a slow hash); OWASP ASVS 5.0 V6.2.4, V6.2.12; NIST SP 800-63B-4 §3.1.1.2 (comparison with known compromised passwords).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.core.settings import Settings

GUESSES_MIN = 10**10
"""What guesses at a stolen hash find within hours. Where shorter passwords may be: as many as their length alone takes."""

READ_MAX = 24
_LINE_BYTES_MAX = 100
_LINE = re.compile(rb"([0-9A-Fa-f]{40})(?::\d{1,12})?\s*")


def check(settings: Settings, password: str, context: Iterable[str] = ()) -> None:
    """Refuse a new password that leaked, or is found as soon as one that did.

    Args:
        context: names, login, mail, site: what everybody knows.

    Raises:
        KeeperError: ``PASSWORD_REFUSED``; ``SETTINGS_INVALID``: the site's list cannot be read.
    """
    if found_early(password, settings.people.password_length_min, context):
        why = "leaked elsewhere, or is made of what did: it is found among the first guesses"
        raise KeeperError("password", why, reason=Reason.PASSWORD_REFUSED)
    name = settings.people.leaked_file
    if not name:
        return
    try:
        known = holds(settings.data / name, password)
    except (OSError, ValueError) as error:
        why = "cannot be read, or is no list of SHA-1 in order"
        raise KeeperError("[people] leaked_file", why, reason=Reason.SETTINGS_INVALID) from error
    if known:
        raise KeeperError("password", "stands on a list of leaked ones", reason=Reason.PASSWORD_REFUSED)


def found_early(password: str, length_min: int, context: Iterable[str] = ()) -> bool:
    """Say whether few guesses find a password."""
    from zxcvbn import (
        zxcvbn,
    )  # its lists are read where they are wanted: at a new password, and in the keeper alone

    found = zxcvbn(password[:READ_MAX], user_inputs=[one for one in context if one])
    guesses = int(found["guesses"])
    fewest: int = min(GUESSES_MIN, 10**length_min)
    return guesses < fewest


def holds(file: Path, password: str) -> bool:
    """Search the list.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such list.
    """
    wanted = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
    with file.open("rb") as lines:
        low, high = 0, lines.seek(0, 2)
        if not high:
            raise ValueError
        while low < high:  # the line sought begins in [low, high)
            middle = (low + high) // 2
            begin, found, end = _line_at(lines, middle)
            if found == wanted:
                return True
            low, high = (end, high) if found < wanted else (low, min(begin, middle))
    return False


def _line_at(lines: BinaryIO, place: int) -> tuple[int, bytes, int]:
    """Read the line that a byte stands in: where it begins, its hash, where the next one begins."""
    start = max(0, place - _LINE_BYTES_MAX)
    lines.seek(start)
    before = lines.read(place - start).rpartition(b"\n")
    begin = place - len(before[2])
    lines.seek(begin)
    line = lines.readline(_LINE_BYTES_MAX)
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError
    return begin, found[1].upper(), begin + len(line)
