"""Who is signed in: one-time links, sessions and their renewed secrets, in the keeper's memory and nowhere else.

Rules:
- A link is made at the admin socket alone, for a named person; it is 32 random bytes, for one use within minutes.
- Signing in gives a session secret, which the person's browser holds; here lie only hashes of links and secrets.
- A session ends when nobody uses it, when its whole time is over, when it is revoked, or with the keeper.
- Its secret is renewed after some time of use. The old one holds until the new one was shown, and some seconds more,
  for requests under way; shown after that, it was copied: the whole family of secrets ends.
- A session made for looking only can order nothing. A service's session is an access token, and never renewed.

Deliberately absent: the database, records (``console``, ``visiting``), and how people prove who they are (``signing_in``).

Source: OWASP Session Management Cheat Sheet (renewal, timeouts); RFC 9700 §4.14.2 (reuse of a rotated token ends its family).
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason

LINKS_MAX = 64
SESSIONS_MAX = 10_000
SESSIONS_PER_PERSON_MAX = 20
"""One more ends the oldest."""

SECRET_BYTES = 32
GRACE_S = 20.0
"""How long a renewed secret still holds after the new one was shown."""

SWEEP_S = 1.0
ALWAYS = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who is to be signed in, and how they proved it.

    Args:
        name: as shown; on a site without people as the admin socket was told. person_id: empty there.
        by: the factors, as ``password+totp``. acts: may order releases and sign devices; else only look.
        always_fresh: nothing of theirs can be proved again (a link); they count as having just done it.
        key: of a service, what it proved itself with; another one there ends its tokens.
        origin: the browser's address, shown to the person.
    """

    name: str
    by: str
    acts: bool = True
    person_id: str = ""
    kind: Literal["person", "service", "holder"] = "person"
    strong: bool = True
    always_fresh: bool = False
    key: str = ""
    origin: str = ""


@dataclass(slots=True)
class Session:
    """Somebody signed in. ``id`` may be shown and recorded; it opens nothing.

    Args:
        proved_s: when they last proved who they are; both_s: with two factors, as at sign-in. begun_us, seen_us: server time, for the list of sessions.
        shown, before, issued: numbers of the newest secret that was shown, of the one before, of the newest there is.
        why: it ended by itself: ``time``, ``too-many``, ``session.reused``.
    """

    id: str
    visitor: Visitor
    ends_s: float
    idle_s: float
    proved_s: float
    both_s: float
    begun_us: int = 0
    seen_us: int = 0
    shown: int = 0
    before: int = -1
    issued: int = 0
    shown_s: float = 0.0
    issued_s: float = 0.0
    hashes: list[bytes] = field(default_factory=list)
    why: str = ""

    @property
    def person(self) -> str:
        """The name that is shown and that opening limits count by."""
        return self.visitor.name

    @property
    def own(self) -> str:
        """Id of the person whose account, factors and sessions are their own here; none for a service."""
        return self.visitor.person_id if self.visitor.kind == "person" else ""

    @property
    def by(self) -> str:
        """How they proved who they are."""
        return self.visitor.by

    @property
    def acts(self) -> bool:
        """May order and sign."""
        return self.visitor.acts


@dataclass(frozen=True, slots=True)
class _Link:
    visitor: Visitor
    until_s: float


class Sessions:
    """Links and sessions of one keeper; safe in threads.

    Args:
        link_s, idle_s, whole_s: how long a link waits, an unused session lives, and any session lives.
        renew_s: how long one secret of a session serves. fresh_s: how long a proof counts as just given.
    """

    def __init__(
        self,
        link_s: float,
        idle_s: float,
        whole_s: float,
        *,
        renew_s: float = ALWAYS,
        fresh_s: float = 600.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link_s, self._idle_s, self._whole_s = link_s, idle_s, whole_s
        self._renew_s, self._fresh_s = renew_s, fresh_s
        self._monotonic = monotonic
        self._links: dict[bytes, _Link] = {}
        self._sessions: dict[str, Session] = {}
        self._secrets: dict[bytes, tuple[str, int]] = {}
        self._over: list[Session] = []
        self._noted_s = self._swept_s = float("-inf")
        self._guard = threading.Lock()

    def invite(
        self, person: str, by: str, *, acts: bool, person_id: str = "", always_fresh: bool = True
    ) -> str:
        """Make a one-time link's key for a person.

        Raises:
            KeeperError: ``LIMIT_EXCEEDED``; too many unused ones wait.
        """
        visitor = Visitor(name=person, by=by, acts=acts, person_id=person_id, always_fresh=always_fresh)
        with self._guard:
            self._forget_links()
            if len(self._links) >= LINKS_MAX:
                raise KeeperError("links", "too many wait to be used", reason=Reason.LIMIT_EXCEEDED)
            key = secrets.token_urlsafe(SECRET_BYTES)
            self._links[_hash(key)] = _Link(visitor, self._monotonic() + self._link_s)
        return key

    def take_link(self, key: str) -> Visitor:
        """Use a link up; gives whom it is for.

        Raises:
            KeeperError: ``NOT_PERMITTED``: no such link, used already, or too old.
        """
        with self._guard:
            self._forget_links()
            link = self._links.pop(_hash(key), None)
        if link is None:
            raise KeeperError(
                "link", "was used already, is too old, or never was", reason=Reason.NOT_PERMITTED
            )
        return link.visitor

    def begin(self, key: str) -> tuple[str, Session]:
        """Use a link up; gives the session's secret and the session.

        Raises:
            KeeperError: as ``take_link`` and ``open``.
        """
        return self.open(self.take_link(key))

    def open(self, visitor: Visitor, now_us: int = 0, *, whole_s: float = ALWAYS) -> tuple[str, Session]:
        """Begin a session, always a new one; gives its secret.

        Args:
            whole_s: ends it earlier than sessions end.

        Raises:
            KeeperError: ``LIMIT_EXCEEDED``; too many are open.
        """
        with self._guard:
            self._sweep(at_once=len(self._sessions) >= SESSIONS_MAX)
            own = [one for one in self._sessions.values() if visitor.person_id and _same(one, visitor)]
            if len(own) >= SESSIONS_PER_PERSON_MAX:
                oldest = min(own, key=lambda one: one.ends_s)
                self._over.append(self._drop(oldest, "too-many"))
            if len(self._sessions) >= SESSIONS_MAX:
                raise KeeperError("sessions", "too many are open", reason=Reason.LIMIT_EXCEEDED)
            now_s = self._monotonic()
            session = Session(
                *(secrets.token_hex(6), visitor, now_s + min(whole_s, self._whole_s), now_s + self._idle_s),
                *((ALWAYS if visitor.always_fresh else now_s,) * 2),
                *(now_us, now_us),
            )
            session.shown_s = session.issued_s = now_s
            self._sessions[session.id] = session
            return self._issue(session, 0), session

    def find(self, secret: str, *, used: bool = True, now_us: int = 0) -> Session:
        """Find a session by its secret, and count it as used now.

        Args:
            used: a page that asks by itself whether there is news is no use.

        Raises:
            KeeperError: ``NOT_PERMITTED``: none, or it has ended. ``SESSION_REUSED``: the secret had been renewed; the
                session has ended with that.
        """
        with self._guard:
            session = self._find(secret)
            if used:
                session.idle_s = self._monotonic() + self._idle_s
                session.seen_us = max(session.seen_us, now_us)
        return session

    def due(self, secret: str, session: Session) -> bool:
        """Say whether the secret that was shown has served long enough to be renewed."""
        with self._guard:
            return self._due(secret, session)

    def renew(self, secret: str, *, proved: bool = False, both: bool = False) -> str:
        """Give a session a new secret; empty where nothing is due.

        Args:
            proved: the person has just proved who they are again: the proof counts from now, and the secret is renewed
                in any case. both: with two factors, or a passkey, which is two.

        Raises:
            KeeperError: as ``find``.
        """
        with self._guard:
            session, now_s = self._find(secret), self._monotonic()
            if not proved and not self._due(secret, session):
                return ""
            if proved and session.proved_s != ALWAYS:
                session.proved_s = now_s
            if both and session.both_s != ALWAYS:
                session.both_s = now_s
            session.issued_s = now_s
            return self._issue(session, session.issued + 1)

    def fresh(self, session: Session) -> bool:
        """Say whether the person proved who they are just now."""
        return self._monotonic() - session.proved_s < self._fresh_s

    def both(self, session: Session) -> bool:
        """Say whether the person proved it with two factors just now."""
        return self._monotonic() - session.both_s < self._fresh_s

    def end(self, secret: str) -> Session | None:
        """End a session; gives it, or nothing where it had ended before."""
        with self._guard:
            id_, _ = self._secrets.get(_hash(secret), ("", 0))
            session = self._sessions.get(id_)
            return self._drop(session) if session is not None else None

    def revoke(self, id_: str) -> Session | None:
        """End a session by its id."""
        with self._guard:
            session = self._sessions.get(id_)
            return self._drop(session) if session is not None else None

    def revoke_all(self, person_id: str, *, but: str = "") -> list[Session]:
        """End every session of a person; gives them.

        Args:
            but: the id of one that stays.
        """
        with self._guard:
            self._sweep(at_once=True)
            own = [s for s in self._of(person_id) if s.id != but]
            return [self._drop(session) for session in own]

    def listed(self, person_id: str = "") -> list[Session]:
        """Give the open sessions, of one person where one is named."""
        with self._guard:
            self._sweep(at_once=True)
            return self._of(person_id) if person_id else list(self._sessions.values())

    def take_over(self) -> list[Session]:
        """Give the sessions that ended by themselves since the last time."""
        with self._guard:
            self._sweep()
            over, self._over = self._over, []
        return over

    def put_back(self, over: list[Session]) -> None:
        """Take back what could not be recorded."""
        with self._guard:
            self._over = over + self._over

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

    def _find(self, secret: str) -> Session:
        id_, number = self._secrets.get(_hash(secret), ("", 0))
        session, now_s = self._sessions.get(id_), self._monotonic()
        if session is None or session.ends_s <= now_s or session.idle_s <= now_s:
            self._sweep(at_once=session is not None)
            raise KeeperError("session", "has ended", reason=Reason.NOT_PERMITTED)
        if number == session.issued > session.shown:
            session.before, session.shown, session.shown_s = session.shown, number, now_s
        elif number != session.shown and not (number == session.before and now_s - session.shown_s < GRACE_S):
            self._over.append(self._drop(session, Reason.SESSION_REUSED.code))
            raise KeeperError("session", "has ended", reason=Reason.SESSION_REUSED)
        return session

    def _due(self, secret: str, session: Session) -> bool:
        _, number = self._secrets.get(_hash(secret), ("", -1))
        now_s = self._monotonic()
        on_its_way = session.issued > session.shown and now_s - session.issued_s < GRACE_S
        served = now_s - session.shown_s >= self._renew_s
        return session.visitor.kind != "service" and number == session.shown and served and not on_its_way

    def _issue(self, session: Session, number: int) -> str:
        secret = secrets.token_urlsafe(SECRET_BYTES)
        session.issued = number
        session.hashes.append(_hash(secret))
        self._secrets[session.hashes[-1]] = (session.id, number)
        return secret

    def _of(self, person_id: str) -> list[Session]:
        """Give the sessions of a person or holder; a service's id is another kind of id."""
        mine = [s for s in self._sessions.values() if s.visitor.person_id == person_id]
        return [s for s in mine if s.visitor.kind != "service"]

    def _drop(self, session: Session, why: str = "") -> Session:
        session.why = why
        del self._sessions[session.id]
        for one in session.hashes:
            del self._secrets[one]
        return session

    def _forget_links(self) -> None:
        now_s = self._monotonic()
        self._links = {k: link for k, link in self._links.items() if link.until_s > now_s}

    def _sweep(self, *, at_once: bool = False) -> None:
        now_s = self._monotonic()
        if not at_once and now_s - self._swept_s < SWEEP_S:
            return
        self._swept_s = now_s
        over = [one for one in self._sessions.values() if one.ends_s <= now_s or one.idle_s <= now_s]
        self._over += [self._drop(one, "time") for one in over]


def _same(session: Session, visitor: Visitor) -> bool:
    return (session.visitor.person_id, session.visitor.kind) == (visitor.person_id, visitor.kind)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
