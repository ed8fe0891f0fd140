"""What an authoritative source says about identities, done.

Rules:
- Nothing moves: a merge or a join is an edge; identifiers that name somebody keep naming them.
- An edge, and whatever else is said, is of the subjects that the numbers name themselves, not of whoever stands for
  them now: so each statement still holds when another one is undone.
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
from oathward.patients import declared, sql
from oathward.patients.card import words_of_card
from oathward.patients.events import Verb
from oathward.patients.identifiers import (
    MRG_ACCOUNT,
    MRG_ALTERNATE,
    MRG_PATIENT,
    MRG_PATIENT_ID,
    MRG_VISIT,
    PID_MOTHER,
    Identifier,
    Spoken,
)
from oathward.patients.model import EdgeKind, Resolution
from oathward.patients.ordinary import ambiguous, whom
from oathward.patients.work import Whom, Work, unique_subjects

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
        return work.finish(found, refused=Reason.MERGE_REFUSED)
    answers = [_DO[verb](work, message, group) for group in groups]
    lead = answers[0]
    refused = next((a.refused for a in answers if a.refused), None)
    card = lead.own if verb is Verb.UPSERT and lead.kind == "known" and len(groups) == 1 else ""
    return work.finish(lead, refused=refused, others=[a.subject for a in answers[1:]], card=card)


def _upsert(work: Work, message: Message, group: Group) -> Whom:
    found = person(work, group.spoken)
    if found.refused or found.kind != "known":
        return found
    claim(work, found.own, group.spoken.visits)
    _mother(work, found.own, work.read(message.field(group.pid, PID_MOTHER)))
    if work.words:
        work.add_words(found.own, words_of_card(message, group.pid, work.words))
    return found


def _merge(work: Work, message: Message, group: Group) -> Whom:
    priors = _priors(work, message, group)
    gone = {work.hasher.identifier(p) for p in priors}
    stay = tuple(i for i in group.spoken.persons if work.hasher.identifier(i) not in gone)
    found = person(work, Spoken(stay, ()) if stay else group.spoken)
    if found.refused:
        return found
    if not priors or not _within_authorities(priors, stay):
        work.findings.append(str(Reason.MERGE_REFUSED))
        return Whom(found.subject, found.kind, Reason.MERGE_REFUSED, found.own)
    for prior in priors:
        _tie(work, _named(work, prior), _survivor(work, prior, stay))
    return found


def _merge_all(work: Work, message: Message, group: Group) -> Whom:
    found = _merge(work, message, group)
    if not found.refused and found.kind == "known":
        claim(work, found.own, _accounts(work, message, group))
    return found


def _change(work: Work, message: Message, group: Group) -> Whom:
    """Replace numbers: the prior and the new one are the same patient. A new number is a subject of its own."""
    priors = _priors(work, message, group)
    gone = {work.hasher.identifier(p) for p in priors}
    fresh = [i for i in group.spoken.wide if work.hasher.identifier(i) not in gone]
    if not priors or not fresh or not _within_authorities(priors, fresh):
        work.findings.append(str(Reason.MERGE_REFUSED))
        found = whom(work, group.spoken)
        return Whom(found.subject, found.kind, Reason.MERGE_REFUSED, found.own)
    known = work.find([work.hasher.identifier(i) for i in fresh])
    used = tuple(i for i in fresh if work.hasher.identifier(i) in known)
    keep = person(work, Spoken(used, ())) if used else None
    if keep is not None and keep.refused:
        return keep
    owns = [_named(work, p) for p in priors]
    unused = [i for i in fresh if i not in used]
    if unused:  # nobody used it before: those who are known keep standing for the patient
        new = work.new_subject("known", established=True)
        work.attach(new, unused)
        _tie(work, new, keep.own if keep else owns[0])
    for prior, own in zip(priors, owns, strict=True):
        survivor = _survivor(work, prior, fresh)
        if not work.has_edge(EdgeKind.MERGED, survivor, own):
            _tie(work, own, survivor)
    lead = keep.own if keep else owns[0]
    return Whom(work.effective(lead), "known", own=lead)


def _visits(work: Work, message: Message, group: Group) -> Whom:
    found = person(work, group.spoken)
    if found.refused or found.kind != "known":
        return found
    claim(work, found.own, _accounts(work, message, group))
    return found


def _accounts(work: Work, message: Message, group: Group) -> list[Identifier]:
    visits = list(group.spoken.visits)
    for mrg in group.mrgs:
        visits += work.read(message.field(mrg, MRG_ACCOUNT), encounter="AN")
        visits += work.read(message.field(mrg, MRG_VISIT), encounter="VN")
    return visits


def _pair(work: Work, verb: Verb, groups: Sequence[Group]) -> Resolution:
    found = [whom(work, g.spoken) if verb is Verb.PAIR else person(work, g.spoken) for g in groups]
    refused = next((f.refused for f in found if f.refused), None)
    if verb is not Verb.PAIR and refused is None:
        if len(found) != 2 or not all(f.own for f in found):
            work.findings.append("patient.link-unclear")
            refused = Reason.MERGE_REFUSED
        else:
            _link(work, *found) if verb is Verb.LINK else _unlink(work, *found)
    return work.finish(found[0], refused=refused, others=[f.subject for f in found[1:]])


def _link(work: Work, one: Whom, other: Whom) -> None:
    if one.subject == other.subject:
        work.findings.append("patient.link-unclear")
        return
    pair = one.own, other.own
    if not (work.has_edge(EdgeKind.LINKED, *pair) or work.has_edge(EdgeKind.LINKED, *reversed(pair))):
        work.edge(EdgeKind.LINKED, *pair)


def _unlink(work: Work, one: Whom, other: Whom) -> None:
    """Undo every link between the two persons, whichever of their numbers it named."""
    graph = work.state.graph
    pairs = [
        p for a in work.family(one.subject) for b in work.family(other.subject) for p in ((a, b), (b, a))
    ]
    edges = {e.id: e for pair in pairs for e in graph.standing(EdgeKind.LINKED, *pair)}
    for edge in edges.values():
        work.edge(EdgeKind.UNDONE, edge.child, edge.parent, undoes=edge.id)
    if not edges:
        work.findings.append("patient.link-unclear")


# --- parts


def person(work: Work, spoken: Spoken) -> Whom:
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
        return Whom(subject, "known", own=subject)
    settled = [s for s in subjects if s in work.established(subjects)]
    if len(settled) > 1:
        return ambiguous(work, list(hashes))
    target = settled[0] if settled else subjects[0]
    own = work.own_of(h for h in hashes if found.get(h) == target)
    new = [i for h, i in hashes.items() if h not in found]
    if new and _second_number(work, target, new, set(hashes)):
        return ambiguous(work, list(hashes))
    for h in found:
        if work.effective(work.own(h)) != work.effective(own):
            work.edge(EdgeKind.JOINED, work.own(h), own)
    work.attach(own, new)
    for one in dict.fromkeys((target, own)):
        work.establish(one)
    return Whom(work.effective(own), "known", own=own)


def _second_number(work: Work, subject: str, new: Sequence[Identifier], listed: set[bytes]) -> bool:
    """Say whether a new identifier stands beside an unlisted one of the same authority and type."""
    taken = {scope for h, scope in work.scopes(subject).items() if h not in listed}
    return any(work.hasher.scope(i) in taken for i in new)


def _within_authorities(priors: Sequence[Identifier], named: Sequence[Identifier]) -> bool:
    """Say whether every prior number is of an authority that the other numbers name."""
    authorities = {i.authority for i in named if not i.local}
    return all(not p.local and p.authority in authorities for p in priors)


def _named(work: Work, one: Identifier) -> str:
    """Find the own subject of one identifier, or make it; the source speaks of it."""
    declared.take_over_one(work, one)
    hashed = work.hasher.identifier(one)
    if hashed in work.find([hashed]):
        work.establish(work.own(hashed))
        return work.own(hashed)
    subject = work.new_subject("known", established=True)
    work.attach(subject, [one])
    return subject


def _survivor(work: Work, prior: Identifier, stay: Sequence[Identifier]) -> str:
    """Find the own subject of the number that takes a prior one's place: of the same authority, best of the same type."""
    wide = [i for i in stay if not i.local]
    return _named(work, min(wide, key=lambda i: (i.authority != prior.authority, i.type != prior.type)))


def _tie(work: Work, child: str, parent: str) -> None:
    """Merge one subject into another, unless that was said before and stands."""
    if child == parent or work.has_edge(EdgeKind.MERGED, child, parent):
        return
    work.edge(EdgeKind.MERGED, child, parent)
    if work.state.note_merge(work.source.id, work.now_us):
        work.findings.append("patient.merge-storm")


def _priors(work: Work, message: Message, group: Group) -> list[Identifier]:
    found: list[Identifier] = []
    for mrg in group.mrgs:
        listed = work.read(message.field(mrg, MRG_PATIENT))
        alone = MRG_ALTERNATE if work.event == "A48" else MRG_PATIENT_ID
        listed += work.read(message.field(mrg, alone), named_only=True)
        found += [i for i in listed if not i.encounter and i not in found]
    return found


def claim(work: Work, subject: str, visits: Sequence[Identifier]) -> None:
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
            work.edge(EdgeKind.SHARES_VISIT, subject, work.own(hashed))
            continue
        mine.append(hashed)
    for holding in sql.holding_for(work.db, work.state.site, mine):
        child = work.effective(holding)
        if child == holding and child != work.effective(subject):
            work.edge(EdgeKind.JOINED, child, subject)


def _mother(work: Work, child: str, identifiers: Sequence[Identifier]) -> None:
    for one in identifiers:
        if one.local or one.encounter:
            continue
        mother = _named(work, one)
        if work.effective(mother) == work.effective(child):
            work.findings.append("patient.mother-is-child")
        elif not work.has_edge(EdgeKind.CHILD_OF, child, mother):
            work.edge(EdgeKind.CHILD_OF, child, mother)
        return


_DO: dict[Verb, Callable[[Work, Message, Group], Whom]] = {
    Verb.UPSERT: _upsert,
    Verb.MERGE: _merge,
    Verb.MERGE_ALL: _merge_all,
    Verb.CHANGE: _change,
    Verb.VISITS: _visits,
}
