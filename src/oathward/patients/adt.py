"""What an authoritative source says about identities, done.

Rules:
- Nothing moves: a merge or a join is an edge; identifiers that name somebody keep naming them.
- Identifiers of a message are one person's because the source says so; but two people it established before,
  or a second number of an authority that the message does not list beside the first, are ambiguous: held.
- A merge stays within an assigning authority: MRG may only name authorities that PID names.
- Provisional and holding subjects join the person when the source names their identifiers or encounter.
- An encounter number given to two people is marked, and from then on identifies nobody.

Source: HL7 v2.8.2 chapter 3; IHE ITI TF-2 §3.30 (merge within one assigning authority).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward.core.reasons import Reason
from oathward.patients import sql
from oathward.patients.card import words_of_card
from oathward.patients.events import Verb
from oathward.patients.identifiers import (
    MRG_ACCOUNT,
    MRG_PATIENT,
    MRG_PATIENT_ID,
    MRG_VISIT,
    PID_MOTHER,
    Identifier,
    Spoken,
)
from oathward.patients.model import EdgeKind, Resolution
from oathward.patients.ordinary import Whom, ambiguous, whom
from oathward.patients.work import Work, unique_subjects

if TYPE_CHECKING:
    from oathward.protocols.hl7v2.reader import Message


@dataclass(frozen=True, slots=True)
class Group:
    """One PID with the PV1 and MRG segments that follow it."""

    pid: bytes
    pv1: bytes | None
    mrgs: tuple[bytes, ...]
    spoken: Spoken


def resolve(work: Work, message: Message, verb: Verb, groups: Sequence[Group]) -> Resolution:
    """Do what the message says."""
    first = groups[0]
    if verb in {Verb.LINK, Verb.UNLINK, Verb.PAIR}:
        return _pair(work, verb, groups)
    if verb is Verb.UNSUPPORTED:
        work.findings.append("patient.event-unsupported")
        found = whom(work, first.spoken)
        return work.finish(found.subject, found.kind, refused=Reason.MERGE_REFUSED)
    answers = [_DO[verb](work, message, group) for group in groups]
    lead = answers[0]
    refused = next((a.refused for a in answers if a.refused), None)
    card = verb is Verb.UPSERT and lead.kind == "known" and len(groups) == 1
    return work.finish(
        lead.subject, lead.kind, refused=refused, others=[a.subject for a in answers[1:]], card=card
    )


def _upsert(work: Work, message: Message, group: Group) -> Whom:
    found = _person(work, group.spoken)
    if found.refused or found.kind != "known":
        return found
    _claim(work, found.subject, group.spoken.visits)
    _mother(work, found.subject, work.reading.identifiers(message.field(group.pid, PID_MOTHER)))
    if work.words:
        work.add_words(found.subject, words_of_card(message, group.pid, work.words))
    return found


def _merge(work: Work, message: Message, group: Group) -> Whom:
    priors = _priors(work, message, group)
    gone = {work.hasher.identifier(p) for p in priors}
    stay = tuple(i for i in group.spoken.persons if work.hasher.identifier(i) not in gone)
    found = _person(work, Spoken(stay, ()) if stay else group.spoken)
    if found.refused:
        return found
    if not priors or not _within_authorities(priors, stay):
        work.findings.append(str(Reason.MERGE_REFUSED))
        return Whom(found.subject, found.kind, Reason.MERGE_REFUSED)
    for prior in priors:
        survivor = work.effective(found.subject)
        child = _named(work, prior)
        if child != survivor:
            work.edge(EdgeKind.MERGED, child, survivor)
            if work.state.note_merge(work.source.id, work.now_us):
                work.findings.append("patient.merge-storm")
    return found


def _change(work: Work, message: Message, group: Group) -> Whom:
    """Replace identifiers: both numbers name the same subject; two subjects become one."""
    priors = _priors(work, message, group)
    fresh = group.spoken.wide
    if not priors or not fresh or not _within_authorities(priors, fresh):
        work.findings.append(str(Reason.MERGE_REFUSED))
        found = whom(work, group.spoken)
        return Whom(found.subject, found.kind, Reason.MERGE_REFUSED)
    known = work.find([work.hasher.identifier(i) for i in (*priors, *fresh)])
    subjects = unique_subjects(known.values())
    keep = work.find([work.hasher.identifier(i) for i in fresh])
    target = next(iter(keep.values()), subjects[0] if subjects else "")
    if not target:
        target = work.new_subject("known", established=True)
    work.attach(target, [*fresh, *priors])
    work.establish(target)
    for other in subjects:
        if work.effective(other) != work.effective(target):
            work.edge(EdgeKind.MERGED, work.effective(other), work.effective(target))
    return Whom(target, "known")


def _visits(work: Work, message: Message, group: Group) -> Whom:
    found = _person(work, group.spoken)
    if found.refused or found.kind != "known":
        return found
    visits = list(group.spoken.visits)
    for mrg in group.mrgs:
        visits += work.reading.identifiers(message.field(mrg, MRG_ACCOUNT), encounter="AN")
        visits += work.reading.identifiers(message.field(mrg, MRG_VISIT), encounter="VN")
    _claim(work, found.subject, visits)
    return found


def _pair(work: Work, verb: Verb, groups: Sequence[Group]) -> Resolution:
    found = [whom(work, g.spoken) if verb is Verb.PAIR else _person(work, g.spoken) for g in groups]
    refused = next((f.refused for f in found if f.refused), None)
    if verb is not Verb.PAIR and refused is None:
        a, b = (found[0].subject, found[1].subject) if len(found) == 2 else ("", "")
        refused = _link(work, a, b) if verb is Verb.LINK else _unlink(work, a, b)
    return work.finish(
        found[0].subject, found[0].kind, refused=refused, others=[f.subject for f in found[1:]]
    )


def _link(work: Work, a: str, b: str) -> Reason | None:
    if not a or a == b:
        work.findings.append("patient.link-unclear")
        return Reason.MERGE_REFUSED if not a else None
    if not (work.has_edge(EdgeKind.LINKED, a, b) or work.has_edge(EdgeKind.LINKED, b, a)):
        work.edge(EdgeKind.LINKED, a, b)
    return None


def _unlink(work: Work, a: str, b: str) -> Reason | None:
    graph = work.state.graph
    edges = [e for pair in ((a, b), (b, a)) if (e := graph.active(EdgeKind.LINKED, *pair)) is not None]
    for edge in edges:
        work.edge(EdgeKind.UNDONE, edge.child, edge.parent, undoes=edge.id)
    if not edges:
        work.findings.append("patient.link-unclear")
    return None


# --- parts


def _person(work: Work, spoken: Spoken) -> Whom:
    """Find or make the one established subject of these identifiers."""
    wide = spoken.wide
    if not wide:
        return whom(work, spoken)
    hashes = {work.hasher.identifier(i): i for i in wide}
    found = work.find(list(hashes))
    subjects = unique_subjects(found.values())
    if not subjects:
        subject = work.new_subject("known", established=True)
        work.attach(subject, wide)
        return Whom(subject, "known")
    settled = [s for s in subjects if s in work.established(subjects)]
    if len(settled) > 1:
        return ambiguous(work, list(hashes))
    target = settled[0] if settled else subjects[0]
    new = [i for h, i in hashes.items() if h not in found]
    if new and _second_number(work, target, new, set(hashes)):
        return ambiguous(work, list(hashes))
    for other in subjects:
        if other != target:
            work.edge(EdgeKind.JOINED, other, target)
    work.attach(target, new)
    work.establish(target)
    return Whom(target, "known")


def _second_number(work: Work, subject: str, new: Sequence[Identifier], listed: set[bytes]) -> bool:
    """Say whether a new identifier stands beside an unlisted one of the same authority and type."""
    taken = {scope for h, scope in work.scopes(subject).items() if h not in listed}
    return any(work.hasher.scope(i) in taken for i in new)


def _within_authorities(priors: Sequence[Identifier], named: Sequence[Identifier]) -> bool:
    """Say whether every prior number is of an authority that the other numbers name."""
    authorities = {i.authority for i in named if not i.local}
    return all(not p.local and p.authority in authorities for p in priors)


def _named(work: Work, one: Identifier) -> str:
    """Find the subject of one identifier, or make it."""
    hashed = work.hasher.identifier(one)
    known = work.find([hashed])
    if hashed in known:
        return known[hashed]
    subject = work.new_subject("known", established=True)
    work.attach(subject, [one])
    return subject


def _priors(work: Work, message: Message, group: Group) -> list[Identifier]:
    found: list[Identifier] = []
    for mrg in group.mrgs:
        listed = work.reading.identifiers(message.field(mrg, MRG_PATIENT))
        listed += work.reading.identifiers(message.field(mrg, MRG_PATIENT_ID), named_only=True)
        found += [i for i in listed if not i.encounter and i not in found]
    return found


def _claim(work: Work, subject: str, visits: Sequence[Identifier]) -> None:
    """Give encounter numbers to a subject; one that is another's is marked as shared."""
    wide = {work.hasher.identifier(v): v for v in visits if not v.local}
    marks = {hashed: work.hasher.shared(hashed) for hashed in wide}
    known = work.find([*wide, *marks.values()])
    mine: list[bytes] = []
    for hashed, visit in wide.items():
        mark = marks[hashed]
        if mark in known:
            continue
        if hashed not in known:
            work.attach(subject, [visit])
        elif known[hashed] != work.effective(subject):
            work.attach_hashes(subject, [(mark, b"")])
            work.edge(EdgeKind.SHARES_VISIT, subject, known[hashed])
            continue
        mine.append(hashed)
    for holding in sql.holding_for(work.db, work.state.site, mine):
        child = work.effective(holding)
        if child == holding and child != work.effective(subject):
            work.edge(EdgeKind.JOINED, child, work.effective(subject))


def _mother(work: Work, child: str, identifiers: Sequence[Identifier]) -> None:
    for one in identifiers:
        if one.local or one.encounter:
            continue
        mother = _named(work, one)
        if mother == work.effective(child):
            work.findings.append("patient.mother-is-child")
        elif not work.has_edge(EdgeKind.CHILD_OF, child, mother):
            work.edge(EdgeKind.CHILD_OF, child, mother)
        return


_DO: dict[Verb, Callable[[Work, Message, Group], Whom]] = {
    Verb.UPSERT: _upsert,
    Verb.MERGE: _merge,
    Verb.CHANGE: _change,
    Verb.VISITS: _visits,
}
