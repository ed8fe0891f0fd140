"""Find what somebody should look at in the register: nobody owns it, nothing covers it, it is overdue. Pure.

Rules:
- *Serious* is where data moves without what it needs: a live link or recipient without an active entry, a living owner, a
  covering agreement, an assessment that stands. Everything due is *attention*.
- What is retired is not looked at.
- Each finding names its thing and says in words what is wrong; it goes when that is mended, and never otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from oathward.core.finding_kinds import Severity
from oathward.core.settings import Settings
from oathward.governance.covering import covers, day, in_force, lacks, standing, stands
from oathward.governance.derive import Expected, Key, connected, digest_of, expected
from oathward.governance.model import (
    AgreementRow,
    AssessedKind,
    AssessmentRow,
    ConnectionRow,
    EntryKind,
    EntryRow,
    Lifecycle,
    RegisterFinding,
)
from oathward.policy.bundle import Bundle
from oathward.policy.model import KEEP, Link

SERIOUS, ATTENTION = Severity.SERIOUS, Severity.ATTENTION
_DAY_US = 86_400_000_000
_ORDER = (
    EntryKind.LINK,
    EntryKind.RECIPIENT,
    EntryKind.CONNECTION,
    EntryKind.RELEASE,
    EntryKind.DATA_SET,
    EntryKind.BACKUP,
)
_LIVE = (EntryKind.LINK, EntryKind.RECIPIENT, EntryKind.CONNECTION)


@dataclass(frozen=True, slots=True)
class Register:
    """Everything findings are made of, as it was read at once.

    Args:
        bundle: the active one; None where there is none. living: person id -> name, of those the register names at
            least; None where the signed documents
            of persons are not believed. makes: device models of the inventory, ``Acme|Vista 3``.
    """

    settings: Settings
    bundle: Bundle | None
    living: Mapping[str, str] | None
    entries: Mapping[Key, EntryRow]
    agreements: Mapping[str, AgreementRow]
    assessments: Sequence[AssessmentRow] = ()
    makes: frozenset[str] = frozenset()
    connections: Mapping[str, ConnectionRow] = field(default_factory=dict)
    things: Mapping[Key, Expected] = field(init=False)

    def __post_init__(self) -> None:
        things = expected(self.bundle, self.settings) | connected(self.connections.values())
        object.__setattr__(self, "things", things)

    @property
    def rows(self) -> list[EntryRow]:
        """Every entry, written or not: what flows first, then what is kept, by id."""
        keys = sorted({*self.entries, *self.things}, key=lambda key: (_ORDER.index(key[0]), key[1]))
        return [self.entries[key] if key in self.entries else self.things[key].row for key in keys]

    def newest(self, kind: AssessedKind, about: str) -> AssessmentRow | None:
        """Give the assessment that counts of a thing."""
        return newest(a for a in self.assessments if (a.kind, a.about) == (kind, about))


def newest(rows: Iterable[AssessmentRow]) -> AssessmentRow | None:
    """Choose the assessment that counts: the newest that was approved; one nobody approved takes the place of none.

    Args:
        rows: of one thing, the newest first.
    """
    found = list(rows)
    return next((row for row in found if row.approver), found[0] if found else None)


def findings(register: Register, now_us: int) -> list[RegisterFinding]:
    """Find everything, serious first."""
    found = [
        *_of_entries(register, now_us),
        *_of_links(register, now_us),
        *_of_agreements(register, now_us),
        *_of_connections(register, now_us),
        *_of_assessments(register, now_us),
    ]
    if register.living is None:
        words = "the signed documents of persons are not believed: nobody counts as living"
        found.append(RegisterFinding("persons.not-believed", SERIOUS, "", "", words))
    return sorted(found, key=lambda f: (f.severity is not SERIOUS, f.kind, f.about, f.code))


def _of_entries(register: Register, now_us: int) -> Iterator[RegisterFinding]:
    for row in register.rows:
        if row.state is Lifecycle.RETIRED and (row.kind, row.id) not in register.things:
            continue
        yield from _of_entry(register, row, now_us)


def _of_entry(register: Register, row: EntryRow, now_us: int) -> Iterator[RegisterFinding]:
    there = (row.kind, row.id) in register.things
    live = there and row.kind in _LIVE
    worst = SERIOUS if live else ATTENTION
    kind = str(row.kind)
    if not row.version:
        words = "is live and nobody wrote its entry" if live else "is kept and nobody wrote its entry"
        yield RegisterFinding("entry.missing", worst, kind, row.id, words)
        return
    if there and row.state is not Lifecycle.ACTIVE:
        words = f"is {'live' if live else 'kept'}, and its entry is {row.state}"
        yield RegisterFinding("entry.not-active", worst, kind, row.id, words, row.changed_us)
    if not there and row.state is Lifecycle.ACTIVE and row.kind is not EntryKind.RELEASE:
        words = "is active, and neither the bundle nor this site has it: retire it"
        yield RegisterFinding("entry.gone", ATTENTION, kind, row.id, words, row.changed_us)
    yield from _of_persons(register, row, SERIOUS if row.state is Lifecycle.ACTIVE or live else ATTENTION)
    yield from _of_review(row, now_us)


def _of_persons(register: Register, row: EntryRow, worst: Severity) -> Iterator[RegisterFinding]:
    for name, severity in (("owner", worst), ("steward", ATTENTION)):
        who = getattr(row, name)
        if not who:
            yield RegisterFinding(f"entry.{name}-missing", severity, str(row.kind), row.id, f"has no {name}")
        elif register.living is not None and who not in register.living:
            words = f"its {name} {who} is no active person here any more"
            yield RegisterFinding(f"entry.{name}-gone", severity, str(row.kind), row.id, words)


def _of_review(row: EntryRow, now_us: int) -> Iterator[RegisterFinding]:
    if row.state is not Lifecycle.ACTIVE:
        return
    if not row.review_due_us:
        words = "nobody said when it is looked at next"
        yield RegisterFinding("review.none", ATTENTION, str(row.kind), row.id, words, row.changed_us)
    elif row.review_due_us <= now_us:
        yield _overdue(str(row.kind), row.id, row.review_due_us)


def _overdue(kind: str, about: str, due_us: int) -> RegisterFinding:
    return RegisterFinding(
        "review.overdue", ATTENTION, kind, about, f"its review was due on {day(due_us)}", due_us
    )


def _of_links(register: Register, now_us: int) -> Iterator[RegisterFinding]:
    """A link to another legal person needs an agreement; one that names an agreement, a true one."""
    bundle = register.bundle
    for link in bundle.links.values() if bundle is not None else ():
        recipient = bundle.recipients[link.recipient] if bundle is not None else None
        if recipient is None or not (recipient.external or link.agreement):
            continue
        named = register.agreements.get(link.agreement)
        if named is not None:
            lacks: Iterable[str] = (f"{named.id} {words}" for words in covers(named, link, recipient, now_us))
        elif link.agreement:
            lacks = (f"names {link.agreement}, which is not in the register",)
        else:
            lacks = ("goes to another legal person and names no agreement",)
        for words in lacks:
            yield RegisterFinding("agreement.not-covering", SERIOUS, "link", link.id, words)


def _of_agreements(register: Register, now_us: int) -> Iterator[RegisterFinding]:
    soon_us = now_us + register.settings.governance.soon_days * _DAY_US
    for row in register.agreements.values():
        over = in_force(row, now_us)
        if over:
            if not row.ended_us and row.until_us is not None and row.until_us <= now_us:
                yield RegisterFinding(
                    "agreement.ended", ATTENTION, "agreement", row.id, over[0], row.until_us
                )
            continue
        if row.until_us is not None and row.until_us <= soon_us:
            words = f"ends on {day(row.until_us)}"
            yield RegisterFinding("agreement.ends-soon", ATTENTION, "agreement", row.id, words)
        if row.review_due_us and row.review_due_us <= now_us:
            yield _overdue("agreement", row.id, row.review_due_us)
        if not row.digest:
            words = "its file was never given"
            yield RegisterFinding("agreement.no-file", ATTENTION, "agreement", row.id, words, row.added_us)


def _of_connections(register: Register, now_us: int) -> Iterator[RegisterFinding]:
    """A connection that may be used rests on an agreement in force, but where nothing of a person goes over it."""
    soon_us = now_us + register.settings.governance.soon_days * _DAY_US
    for row in register.connections.values():
        if not standing(row, now_us):
            continue
        for words in lacks(row, register.agreements.get(row.agreement), now_us):
            yield RegisterFinding(
                "connection.no-agreement", SERIOUS, str(EntryKind.CONNECTION), row.id, words
            )
        if row.until_us is not None and row.until_us <= soon_us:
            words = f"ends on {day(row.until_us)}"
            yield RegisterFinding("connection.ends-soon", ATTENTION, str(EntryKind.CONNECTION), row.id, words)


def _of_assessments(register: Register, now_us: int) -> Iterator[RegisterFinding]:
    for kind, about, digest, needed in _assessable(register):
        newest = register.newest(kind, about)
        if newest is None:
            if needed:
                words = "was never assessed for privacy and security"
                yield RegisterFinding("assessment.missing", needed, str(kind), about, words)
            continue
        for words in stands(newest, now_us, digest):
            yield RegisterFinding(
                "assessment.not-standing",
                needed or ATTENTION,
                str(kind),
                about,
                f"its assessment {words}",
                newest.at_us,
            )


def _assessable(register: Register) -> Iterator[tuple[AssessedKind, str, str, Severity | None]]:
    """Give what is live and may be assessed: kind, id, digest, and how much it matters; None where only what was assessed does."""
    bundle = register.bundle
    links = [] if bundle is None else [one for one in bundle.links.values() if one.recipient != KEEP]
    for link in links:
        yield AssessedKind.LINK, link.id, digest_of(link), _needed(register, link)
    for one in [] if bundle is None else bundle.recipients.values():
        if one.id != KEEP:
            yield AssessedKind.RECIPIENT, one.id, digest_of(one), SERIOUS if one.external else None
    for purpose in sorted({link.purpose for link in links}):
        yield AssessedKind.PURPOSE, str(purpose), "", None
    for make in sorted(register.makes):
        yield AssessedKind.DEVICE_MODEL, make, "", None


def _needed(register: Register, link: Link) -> Severity | None:
    external = register.bundle is not None and register.bundle.recipients[link.recipient].external
    return SERIOUS if external else None
