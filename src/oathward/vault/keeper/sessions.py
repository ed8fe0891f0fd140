"""Who is signed in at the console: one-time links and sessions, in the keeper's memory and nowhere else.

Rules:
- A link is made at the admin socket alone, for a named person; it is 32 random bytes, for one use within minutes.
- Using a link gives a session secret, which the person's browser holds; here lie only hashes of links and secrets.
- A session ends when nobody uses it, when its whole time is over, when the person signs out, or with the keeper.
- A session made for looking only can order nothing.

Deliberately absent: the database, records (``console``), and any way to make a session without a link.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason

LINKS_MAX = 64
SESSIONS_MAX = 256
SECRET_BYTES = 32


@dataclass(slots=True)
class Session:
    """Somebody signed in. ``id`` may be shown and recorded; it opens nothing.

    Args:
        by: how the person proved who they are, as the admin socket saw it.
        acts: may order releases and sign devices; else only look.
    """

    id: str
    person: str
    by: str
    acts: bool
    ends_s: float
    idle_s: float


@dataclass(frozen=True, slots=True)
class _Link:
    person: str
    by: str
    acts: bool
    until_s: float


class Sessions:
    """Links and sessions of one keeper; safe in threads.

    Args:
        link_s, idle_s, whole_s: how long a link waits, an unused session lives, and any session lives.
    """

    def __init__(
        self,
        link_s: float,
        idle_s: float,
        whole_s: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link_s, self._idle_s, self._whole_s = link_s, idle_s, whole_s
        self._monotonic = monotonic
        self._links: dict[bytes, _Link] = {}
        self._sessions: dict[bytes, Session] = {}
        self._noted_s = float("-inf")
        self._guard = threading.Lock()

    def invite(self, person: str, by: str, *, acts: bool) -> str:
        """Make a one-time link's key for a person.

        Raises:
            KeeperError: ``LIMIT_EXCEEDED``; too many unused ones wait.
        """
        with self._guard:
            self._forget()
            if len(self._links) >= LINKS_MAX:
                raise KeeperError("links", "too many wait to be used", reason=Reason.LIMIT_EXCEEDED)
            key = secrets.token_urlsafe(SECRET_BYTES)
            self._links[_hash(key)] = _Link(person, by, acts, self._monotonic() + self._link_s)
        return key

    def begin(self, key: str) -> tuple[str, Session]:
        """Use a link up; gives the session's secret and the session.

        Raises:
            KeeperError: ``NOT_PERMITTED``: no such link, used already, or too old. ``LIMIT_EXCEEDED``.
        """
        with self._guard:
            self._forget()
            link = self._links.pop(_hash(key), None)
            if link is None:
                raise KeeperError(
                    "link", "was used already, is too old, or never was", reason=Reason.NOT_PERMITTED
                )
            if len(self._sessions) >= SESSIONS_MAX:
                raise KeeperError("sessions", "too many are open", reason=Reason.LIMIT_EXCEEDED)
            secret, now_s = secrets.token_urlsafe(SECRET_BYTES), self._monotonic()
            session = Session(
                *(secrets.token_hex(6), link.person, link.by, link.acts),
                *(now_s + self._whole_s, now_s + self._idle_s),
            )
            self._sessions[_hash(secret)] = session
        return secret, session

    def find(self, secret: str, *, used: bool = True) -> Session:
        """Find a session by its secret, and count it as used now.

        Args:
            used: a page that asks by itself whether there is news is no use.

        Raises:
            KeeperError: ``NOT_PERMITTED``: none, or it has ended.
        """
        with self._guard:
            self._forget()
            session = self._sessions.get(_hash(secret))
            if session is None:
                raise KeeperError("session", "has ended", reason=Reason.NOT_PERMITTED)
            if used:
                session.idle_s = self._monotonic() + self._idle_s
        return session

    def end(self, secret: str) -> Session | None:
        """End a session; gives it, or nothing where it had ended before."""
        with self._guard:
            return self._sessions.pop(_hash(secret), None)

    def worth_noting(self) -> bool:
        """Say whether a refused link is to be recorded: one a second tells enough and fills nothing."""
        with self._guard:
            now_s = self._monotonic()
            due = now_s - self._noted_s >= 1.0
            if due:  # counted from the last one noted: who tries on and on is noted each second
                self._noted_s = now_s
        return due

    def left_s(self, session: Session) -> float:
        """Say how long a session lives at most from now."""
        return max(0.0, session.ends_s - self._monotonic())

    def _forget(self) -> None:
        now_s = self._monotonic()
        self._links = {k: link for k, link in self._links.items() if link.until_s > now_s}
        self._sessions = {
            k: one for k, one in self._sessions.items() if one.ends_s > now_s and one.idle_s > now_s
        }


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
