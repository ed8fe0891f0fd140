"""The keeper's client for what holders of the portal ask for: a copy of the data, and that something wrong is looked at. ``client.asks``.

| socket | operations |
|---|---|
| ``portal`` | ask for a copy, fetch it part by part; report, and list what one reported |
| ``app``, ``admin`` | list, open and settle reports; for staff who are signed in |

Rules:
- What was opened and what was written travels as ``Phi``.
- A link that is not good is ``not-found``, whatever is wrong with it.

Source: ``keeper/portal/requests`` and ``keeper/portal/reports`` say what each does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from oathward.core.phi import Phi
from oathward.vault.keeper.client.patients import original_of
from oathward.vault.keeper.original import Original

Proof = Mapping[str, str]

NO_RECORD = -1
"""A report that names no record."""


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """One request for a copy. ``link``: the random part of its address; ``left``: fetches; ``over``: it is good no more."""

    link: str = field(repr=False)
    at_us: int
    until_us: int
    left: int
    over: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """A copy that is being fetched. ``card``: None where there is none; ``more``: older messages are kept too."""

    card: Original | None
    messages: int
    more: bool
    ticket: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a holder sent. ``about``: number of a record, or ``NO_RECORD``; ``outcome``: a code, empty until it is settled."""

    id: str
    kind: str
    about: int
    at_us: int
    state: str
    outcome: str
    settled_us: int


@dataclass(frozen=True, slots=True)
class Reported:
    """A report as staff see it. ``name``: who opened or settled it last; ``due_us``: when it is overdue."""

    id: str
    subject: str
    kind: str
    about: int
    at_us: int
    state: str
    by: str
    name: str
    taken_us: int
    outcome: str
    settled_us: int
    due_us: int

    def overdue(self, now_us: int) -> bool:
        """Whether nobody settled it in time."""
        return not self.outcome and now_us > self.due_us


class Asks:
    """Operations of holders and of staff who are signed in."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    # --- portal

    def request(self, subject: str, once: str, proof: Proof) -> str:
        """Ask for a copy; gives the random part of its link.

        Raises:
            KeeperError: ``NOT_FOUND``: not this holder's to ask. ``LIMIT_EXCEEDED``: too many stand.
        """
        link: str = self._call("portal_request", subject=subject, once=once, proof=dict(proof))
        return link

    def requests(self, subject: str, proof: Proof) -> list[CopyRequest]:
        """List what this holder asked for of a patient, newest first."""
        return [
            CopyRequest(**one) for one in self._call("portal_requests", subject=subject, proof=dict(proof))
        ]

    def begin(self, subject: str, link: str, form: str, proof: Proof) -> Begun:
        """Begin to fetch a copy; it is counted and recorded.

        Raises:
            KeeperError: ``NOT_FOUND``: the link is not good. ``RATE_OF_OPENING``.
        """
        found = self._call("portal_copy_begin", subject=subject, link=link, form=form, proof=dict(proof))
        card = found["card"]
        return Begun(original_of(card) if card else None, found["messages"], found["more"], found["ticket"])

    def parts(self, begun: Begun) -> Iterator[tuple[Original, ...]]:
        """Open a copy part by part, oldest first; one part is in memory at a time.

        Raises:
            KeeperError: the session or the access has ended; nothing more is given.
        """
        last = False
        while not last:
            found = self._call("portal_copy_part", ticket=begun.ticket)
            last = found["last"]
            yield tuple(map(original_of, found["originals"]))

    def report(
        self, subject: str, kind: str, words: Phi[str], once: str, proof: Proof, *, about: int = NO_RECORD
    ) -> str:
        """Report that something is wrong; gives its id.

        Raises:
            KeeperError: ``NOT_FOUND``; ``LIMIT_EXCEEDED``: too many wait.
        """
        told = {"subject": subject, "kind": kind, "about": about, "words": words.reveal(), "once": once}
        id_: str = self._call("portal_report", **told, proof=dict(proof))
        return id_

    def sent(self, subject: str, proof: Proof) -> list[Sent]:
        """List what this holder reported of a patient, newest first."""
        return [Sent(**one) for one in self._call("portal_reports", subject=subject, proof=dict(proof))]

    # --- app, admin: for staff

    def reports(self, proof: Proof, *, waiting: bool = False) -> list[Reported]:
        """List reports, newest first; ``waiting``: only what is not settled."""
        return [Reported(**one) for one in self._call("reports_list", waiting=waiting, proof=dict(proof))]

    def opened(self, id_: str, proof: Proof) -> tuple[Reported, Phi[str] | None]:
        """Open one with its words, on record; no words once the patient was erased."""
        found = self._call("report_one", id=id_, proof=dict(proof))
        words = found.pop("words")
        return Reported(**found), None if words is None else Phi(words)

    def settle(self, id_: str, outcome: str, proof: Proof) -> None:
        """Say what one came to; its holder is told that there is news."""
        self._call("report_settle", id=id_, outcome=outcome, proof=dict(proof))
