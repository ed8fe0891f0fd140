"""Why a message of a patient was sent, or not, and what is on record of them in all.

Rules:
- What happened is what the ledger says, read page by page, newest first; no body is kept longer than its page.
- A message is explained by its stored facts, at its own time, under the bundle of then; and again as of now.
- Facts that are gone make it *not told*, never a guess.

Deliberately absent: values of messages, and whether the viewer may ask (``web``, ``cli``).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from oathward import ledger
from oathward.activation import ID, KIND, Active
from oathward.bundles import check
from oathward.core.clock import from_micros, micros
from oathward.core.db import read
from oathward.core.errors import AuthorityError, InputError, PolicyError
from oathward.core.reasons import Reason
from oathward.explaining.now import standing
from oathward.explaining.told import Told, told
from oathward.ledger import Entry, Query
from oathward.messages.views import WITHDRAWN
from oathward.policy.bundle import Bundle, unpack
from oathward.policy.explain import explain
from oathward.policy.model import Facts
from oathward.policy.plain import Known
from oathward.vault.authority import load_version
from oathward.vault.opened import Opened

PAGE = 500
"""Records read at once."""
RECORDS_MAX = 50_000
"""Of one patient; older ones are not counted, and the answer says so."""
SENT_MAX = 50
PARTS_MAX = 16
FATES = {
    "message.delivered": "delivered",
    "message.dead": "set aside",
    "delivery.discarded": "given up",
}


@dataclass(frozen=True, slots=True)
class Tally:
    """What the ledger says of one link and one patient."""

    link: str
    permitted: int
    denied: int
    held: int
    delivered: int
    withdrawn: int
    reasons: dict[str, int]
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Sent:
    """One decision on record: a message, or a part of one, on one link; ``fate``: what became of it, where it is known."""

    message: str
    at: datetime
    type: str
    link: str
    word: str
    reasons: list[str]
    outgoing: str
    fate: str


@dataclass(frozen=True, slots=True)
class Past:
    """What is on record of one patient. ``whole``: every record was read."""

    tallies: list[Tally]
    newest: list[Sent]
    records: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Why:
    """Why a message was sent on a link, or not: ``then`` by what was known, ``today`` by what is; None where it cannot be told."""

    sent: Sent
    bundle: str
    then: Told | None
    today: Told | None
    lacks: str = ""


def past(
    site: Opened, subjects: Sequence[str], *, newest: int = SENT_MAX, records_max: int = RECORDS_MAX
) -> Past:
    """Sum up what is on record of a patient, with the newest decisions one by one."""
    sums: dict[str, _Sum] = {}
    found: list[Sent] = []
    fates: dict[str, str] = {}
    count = 0
    for entry in records(site, subjects, records_max + 1):
        count += 1
        if count > records_max:
            break
        if entry.kind == "message.accepted":
            for one in _sent(entry, fates if len(found) < newest else {}):
                sums.setdefault(one.link, _Sum()).add(one, entry.at_us)
                if len(found) < newest:
                    found.append(one)
        elif entry.kind in FATES:
            fate = fate_of(entry)
            for link in entry.links:
                sums.setdefault(link, _Sum()).fates[fate] += 1
            if len(found) < newest:
                fates[str(entry.body.get("id"))] = fate
    tallies = [one.told(link) for link, one in sorted(sums.items()) if one.last_us]
    return Past(tallies, found, min(count, records_max), count <= records_max)


def why(site: Opened, active: Active | None, message: str, subjects: Sequence[str]) -> list[Why]:
    """Say for each link why a message was sent on it, or not.

    Args:
        subjects: the patient's; of another's message nothing is told.

    Raises:
        InputError: ``not-found``: nothing is on record of it, or it is another's.
    """
    with read(site.engine) as db:
        recorded = [one for one in of_message(db, site.site, message) if one.subject in subjects]
        accepted = [one for one in recorded if one.kind == "message.accepted"]
        bodies = {one.index: _stored(db, site.site, one) for one in accepted}
    if not accepted:
        raise InputError("message", "nothing of it is on record", reason=Reason.NOT_FOUND)
    fates = {str(one.body.get("id")): fate_of(one) for one in recorded if one.kind in FATES}
    bundles = Bundles(site, active)
    found = []
    for entry in accepted:
        facts = bodies[entry.index]
        said = standing(site, entry.subject)
        found += [_why(site, bundles, one, (entry, facts), said) for one in _sent(entry, fates)]
    return found


@dataclass(slots=True)
class _Sum:
    """What was counted of one link."""

    words: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    fates: Counter[str] = field(default_factory=Counter)
    first_us: int = 0
    last_us: int = 0

    def add(self, one: Sent, at_us: int) -> None:
        self.words[one.word] += 1
        self.reasons.update(one.reasons)
        self.first_us = min(self.first_us or at_us, at_us)
        self.last_us = max(self.last_us, at_us)

    def told(self, link: str) -> Tally:
        held = self.words["held"] + self.words["indeterminate"]
        return Tally(
            *(link, self.words["permit"], self.words["deny"], held),
            *(self.fates["delivered"], self.fates["withdrawn"], dict(self.reasons.most_common())),
            *(from_micros(self.first_us), from_micros(self.last_us)),
        )


def records(site: Opened, subjects: Iterable[str], most: int) -> Iterator[Entry]:
    """Give the records of some subjects, newest first: page by page, each a read of its own."""
    yield from heapq.merge(*(_of(site, one, most) for one in subjects), key=lambda entry: -entry.index)


def _of(site: Opened, subject: str, most: int) -> Iterator[Entry]:
    before: int | None = None
    while most > 0:
        with read(site.engine) as db:
            page = ledger.search(db, site.site, Query(subject=subject), before=before, limit=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        before, most = page[-1].index, most - len(page)


def _sent(entry: Entry, fates: Mapping[str, str]) -> Iterator[Sent]:
    for link, word, *more in entry.body.get("answers", ()):
        outgoing = str(more[0]) if word == "permit" and more else ""
        yield Sent(
            *(entry.message, from_micros(entry.at_us), str(entry.body.get("type", "")), link, word),
            [str(one) for one in more] if word != "permit" else [],
            *(outgoing, fates.get(outgoing, "")),
        )


def fate_of(entry: Entry) -> str:
    """Say what a record of ``FATES`` tells of its delivery."""
    withdrawn = entry.kind == "message.dead" and entry.body.get("reason") in WITHDRAWN
    return "withdrawn" if withdrawn else FATES[entry.kind]


def of_message(db: Connection, site: str, message: str) -> list[Entry]:
    """Read what is recorded of a message and of its parts."""
    found = ledger.search(db, site, Query(message=message), limit=PAGE)
    if "." in message:
        return found
    for number in range(1, PARTS_MAX + 1):
        part = ledger.search(db, site, Query(message=f"{message}.{number}"), limit=PAGE)
        found += part
        if not part and number > 1:
            break
    return found


def _stored(db: Connection, site: str, entry: Entry) -> Facts | None:
    """Read the facts of a decision; None where they are gone or of another version."""
    digests = entry.body.get("facts") or ()
    body = ledger.facts(db, site, bytes.fromhex(digests[0])) if digests else None
    try:
        return Facts.from_body(body) if body is not None else None
    except ValueError:
        return None


class Bundles:
    """The bundles that decided what is on record, each read and checked once."""

    def __init__(self, site: Opened, active: Active | None) -> None:
        self._site, self.active = site, active
        self._known: dict[str, Bundle | None] = {active.label: active.bundle} if active else {}

    def of(self, label: str) -> Bundle | None:
        """Give the bundle of a label (``starter@3``); None where it is not there, or this program cannot use it."""
        if label not in self._known:
            self._known[label] = self._read(label)
        return self._known[label]

    def _read(self, label: str) -> Bundle | None:
        number = label.rpartition("@")[2]
        site = self._site
        if not number.isdecimal():
            return None
        try:
            with read(site.engine) as db:
                document = load_version(db, site.site, KIND, ID, int(number), site.authority)
            found = check(unpack(document.body))
        except (AuthorityError, PolicyError):
            return None
        return found if f"{found.name}@{number}" == label else None


def _why(
    site: Opened,
    bundles: Bundles,
    one: Sent,
    recorded: tuple[Entry, Facts | None],
    said: Known,
) -> Why:
    entry, facts = recorded
    label = str(entry.body.get("bundle", ""))
    if facts is None:
        return Why(one, label, None, None, "the facts of then are not kept any more")
    now_us, sure = micros(site.clock.now()), site.clock.sure()
    today = _decided(
        bundles.active.bundle if bundles.active else None,
        one.link,
        facts.renewed(consent_version=said[0], consents=said[1], clock_sure=sure),
        now_us,
    )
    then = _decided(bundles.of(label), one.link, facts, entry.at_us)
    return Why(one, label, then, today, "" if then else "the policy of then cannot be read any more")


def _decided(bundle: Bundle | None, link: str, facts: Facts, now_us: int) -> Told | None:
    declared = bundle.links.get(link) if bundle else None
    return told(explain(bundle, declared, facts, now_us)) if bundle and declared else None
