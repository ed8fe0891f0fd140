"""What ``oathward consent import`` does with what was read, whatever form it had: whose it is, and storing it.

Rules:
- One way for a dry run and for an import: both find the subjects, both draft. A dry run counts and stops there.
- A patient nobody has heard of is told of by the place that names them; with ``known_only`` nothing is stored then.
- A Consent that comes late (it stood once and was replaced or taken back since, or a later version of it was imported): what
  it denies counts, what it permits does not come back by it, nor does it take the place of what came after.
- What somebody else said between draft and store is not written over (``consents``).
- Statements, the sealed originals that a document names and their keys are stored in one transaction a batch. What stops
  half-way says how many were recorded; importing the file again goes on from there.

Deliberately absent: reading files (``consent.sheet``, ``consent.fhir.sets``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from oathward.cli.asking import batches, now_us, opened, progress, recorded_as, sign
from oathward.cli.consents import TURNS_MAX, check_subject, subjects_of
from oathward.core.errors import OathwardError
from oathward.core.ids import uuid7
from oathward.core.phi import Phi
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.consent.model import Statement
    from oathward.core.settings import Settings
    from oathward.patients.identifiers import Hasher, Identifier
    from oathward.vault.authority import Document
    from oathward.vault.keeper.client import GatewayKeys
    from oathward.vault.opened import Opened

_NEW = "new:"
WRITER = "replay"
"""Body files that a person's command writes."""


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a file says of one patient.

    Args:
        place: file, line or entry.
        who: identifiers, each of which may name the patient; or else ``subject``.
        origins: what an earlier version of it was known by. as_of_us: of what time it is; None: it does not say.
        original: the bytes it was read from, to be kept sealed; None where nothing is kept.
    """

    place: str
    statements: tuple[Statement, ...]
    who: tuple[Identifier, ...] = ()
    subject: str = ""
    origins: frozenset[str] = frozenset()
    as_of_us: int | None = None
    original: Phi[bytes] | None = None


@dataclass(frozen=True, slots=True)
class How:
    """How an import is to be carried out."""

    person: str
    dry_run: bool = False
    replaces: bool = False
    known_only: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What became of it.

    Args:
        patients: how many it is of.
        recorded: of how many what stands changed; in a dry run: would change.
        strangers: how many of them nobody has heard of. unknown: the places that name these.
        stored: whether anything could be.
        replayed: the places of what came before and was replaced or taken back since.
    """

    patients: int
    recorded: int
    strangers: int
    unknown: tuple[str, ...]
    stored: bool
    replayed: tuple[str, ...] = ()


NOTHING = Done(0, 0, 0, (), stored=False)
STRANGER = "nobody has heard of this patient"
PLACES_SHOWN_MAX = 20


def counted(done: Done, *, dry_run: bool) -> dict[str, Any]:
    """Give it as JSON; a dry run records nothing."""
    return {
        "patients": done.patients,
        "recorded": 0 if dry_run else done.recorded,
        "would_record": done.recorded,
        "unknown_patients": done.strangers,
        "unknown": list(done.unknown),
        "replayed": list(done.replayed),
    }


def in_lines(done: Done, how: How) -> Iterator[str]:
    """Say in lines who is not known, and how many patients' statements changed."""
    if done.strangers:
        they = f"{done.strangers} patient{'s' if done.strangers > 1 else ''}"
        fate = "would be" if how.dry_run else "were" if done.strangers > 1 else "was"
        yield f"{they} nobody has heard of {fate} made subjects; --known-only refuses them:"
        yield from (f"  {place}" for place in done.unknown[:PLACES_SHOWN_MAX])
        if len(done.unknown) > PLACES_SHOWN_MAX:
            yield f"  and {len(done.unknown) - PLACES_SHOWN_MAX} more; --json lists all"
    if done.replayed:
        count = len(done.replayed)
        yield f"{count} came before and {'were' if count > 1 else 'was'} replaced or taken back since; nothing is permitted by that:"
        yield from (f"  {place}" for place in done.replayed[:PLACES_SHOWN_MAX])


def together(done: Sequence[Done]) -> Done:
    """Put together what became of several."""
    return Done(
        sum(one.patients for one in done),
        sum(one.recorded for one in done),
        sum(one.strangers for one in done),
        tuple(place for one in done for place in one.unknown),
        stored=any(one.stored for one in done),
        replayed=tuple(place for one in done for place in one.replayed),
    )


@dataclass(slots=True)
class _Said:
    """All that was told of one subject."""

    statements: list[Statement] = field(default_factory=list)
    origins: dict[str, int | None] = field(default_factory=dict)
    originals: dict[str, Phi[bytes]] = field(default_factory=dict)


def keys_of(settings: Settings) -> GatewayKeys:
    """Give the keys by which identifiers are hashed and originals sealed; ask before the site is opened.

    Raises:
        KeeperError: this caller may not ask as a gateway.
    """
    from oathward.vault.keeper import client

    with client.connect(settings, "gateway") as keeper:
        return keeper.hello()


def hasher_by(settings: Settings, keys: GatewayKeys) -> Hasher:
    """Give what turns identifiers into their keyed hashes."""
    from oathward.core.authorities import Authorities
    from oathward.patients.identifiers import Hasher

    return Hasher(keys.index_key, settings.site.name, Authorities(settings.patients.authorities))


def carry_out(told: Sequence[Told], how: How, *, keys: GatewayKeys, data: str | None) -> Done:
    """Store what was told, or say what would be.

    Raises:
        InputError: a subject that nobody has.
    """
    with opened(data) as site:
        return carry_out_in(site, told, how, keys=keys)


def carry_out_in(site: Opened, told: Sequence[Told], how: How, *, keys: GatewayKeys) -> Done:
    """Do so on a site that is open.

    Raises:
        InputError: a subject that nobody has.
    """
    hasher = hasher_by(site.settings, keys)
    for subject in {one.subject for one in told if one.subject}:
        check_subject(site, subject)
    whose, strangers = _whose(site, hasher, told)
    unknown = tuple(
        one.place for one, ids in zip(told, whose, strict=True) if any(id_.startswith(_NEW) for id_ in ids)
    )
    patients = len({id_ for ids in whose for id_ in ids})
    if how.known_only and strangers:
        return Done(patients, 0, len(strangers), unknown, stored=False)
    replayed: tuple[str, ...] = ()
    if not how.replaces:
        told, replayed = _without_replays(site, told, whose)
    if how.dry_run:
        said = _gathered(told, whose)
        new = sum(bool(one.statements) for id_, one in said.items() if id_.startswith(_NEW))
        known = {id_: one for id_, one in said.items() if not id_.startswith(_NEW)}
        changed = len(_drafts(site, known, replaces=how.replaces)[0])
        return Done(patients, new + changed, len(strangers), unknown, stored=False, replayed=replayed)
    made = subjects_of(site, hasher, strangers, how.person)
    named = {f"{_NEW}{n}": subject for n, subject in enumerate(made)}
    said = _gathered(told, [[named.get(id_, id_) for id_ in ids] for ids in whose])
    recorded = _store(site, said, how, keys)
    return Done(patients, recorded, len(strangers), unknown, stored=True, replayed=replayed)


def _without_replays(
    site: Opened, told: Sequence[Told], whose: Sequence[Sequence[str]]
) -> tuple[list[Told], tuple[str, ...]]:
    """Leave of what came before and stands no more its denials alone; gives the places of these too."""
    from oathward.consent import views
    from oathward.core.db import read

    found: list[Told] = []
    places: list[str] = []
    with read(site.engine) as db:
        for one, ids in zip(told, whose, strict=True):
            digest = sha256(one.original.reveal()).hexdigest() if one.original is not None else ""
            if digest and any(
                views.came_before(
                    db, site.site, id_, digest=digest, origins=one.origins, as_of_us=one.as_of_us
                )
                for id_ in ids
            ):
                places.append(one.place)
                denials = tuple(said for said in one.statements if not said.fact.permit)
                found.append(replace(one, statements=denials, origins=frozenset()))
            else:
                found.append(one)
    return found, tuple(places)


def _whose(site: Opened, hasher: Hasher, told: Sequence[Told]) -> tuple[list[list[str]], list[Identifier]]:
    """Give the subjects that each thing is of, and by whom strangers are to be known: ``new:2`` is the third."""
    from oathward.core.db import read
    from oathward.patients import views

    with read(site.engine) as db:
        found = iter(views.find_all(db, site.site, hasher, [who for one in told for who in one.who]))
    whose: list[list[str]] = []
    names: dict[bytes, str] = {}
    strangers: list[Identifier] = []
    for one in told:
        known = [subject for _ in one.who if (subject := next(found))]
        ids = list(dict.fromkeys(known)) or ([one.subject] if one.subject else [])
        if not ids:
            by = [_hashes(hasher, who) for who in one.who]
            name = next((names[h] for some in by for h in some if h in names), "")
            if not name:
                name = f"{_NEW}{len(strangers)}"
                strangers.append(one.who[0])
                names |= dict.fromkeys(by[0], name)
            ids = [name]
        whose.append(ids)
    return whose, strangers


def _hashes(hasher: Hasher, who: Identifier) -> list[bytes]:
    return [hasher.identifier(who), *hasher.others(who)]


def _gathered(told: Sequence[Told], whose: Sequence[Sequence[str]]) -> dict[str, _Said]:
    said: dict[str, _Said] = {}
    for one, ids in zip(told, whose, strict=True):
        for id_ in ids:
            mine = said.setdefault(id_, _Said())
            mine.statements.extend(one.statements)
            for origin in one.origins:
                before, at_us = mine.origins.get(origin), one.as_of_us
                mine.origins[origin] = before if at_us is None else max(at_us, before or at_us)
            if one.original is not None:
                mine.originals[sha256(one.original.reveal()).hexdigest()] = one.original
    return said


def _drafts(
    site: Opened, said: Mapping[str, _Said], *, replaces: bool
) -> tuple[list[Document], dict[str, tuple[str, Phi[bytes]]], dict[str, int]]:
    """Draft what each subject says; gives the ids of originals too, with their subject and bytes, and the versions it is upon."""
    from oathward.consent import actions
    from oathward.core.db import read

    drafts: list[Document] = []
    originals: dict[str, tuple[str, Phi[bytes]]] = {}
    after: dict[str, int] = {}
    ahead_us = now_us(site)  # what is dated ahead does not keep out what comes later
    with read(site.engine) as db:
        for subject, one in said.items():
            after[subject] = actions.version_of(db, site.site, subject)
            ids = {digest: uuid7() for digest in one.originals}
            draft = actions.draft(
                db,
                site.site,
                subject,
                one.statements,
                authority=site.authority,
                seen=site.seen,
                replaces=replaces,
                instead_of={origin: at_us and min(at_us, ahead_us) for origin, at_us in one.origins.items()},
                originals=ids,
            )
            if draft is not None:
                drafts.append(draft)
                originals |= {ids[digest]: (subject, body) for digest, body in one.originals.items()}
    return drafts, originals, after


def _store(site: Opened, said: Mapping[str, _Said], how: How, keys: GatewayKeys) -> int:
    """Draft, seal, have signed and store, batch by batch, again where others were quicker; gives how many documents changed."""
    stored: set[str] = set()
    total = 0
    for turn in range(1, TURNS_MAX + 1):
        drafts, originals, after = _drafts(site, said, replaces=how.replaces)
        total = total or len(drafts)
        try:
            _store_once(site, how, keys, drafts=drafts, originals=originals, after=after, stored=stored)
            break
        except OathwardError as error:
            if error.reason is Reason.CONFLICT and not how.replaces and turn < TURNS_MAX:
                continue
            if stored:
                print(
                    f"{len(stored)} of {total} patients' statements were recorded before this; "
                    "import the same again and it goes on.",
                    file=sys.stderr,
                )
            raise
    return len(stored)


def _store_once(
    site: Opened,
    how: How,
    keys: GatewayKeys,
    *,
    drafts: Sequence[Document],
    originals: Mapping[str, tuple[str, Phi[bytes]]],
    after: Mapping[str, int],
    stored: set[str],
) -> None:
    """Seal, have signed and store drafts; notes whose were stored."""
    from oathward.cli.consent_keep import Keeping
    from oathward.consent import actions
    from oathward.core.db import write

    with Keeping(site, keys) as keeping:
        keeping.seal(drafts, originals)
        for some in progress(list(batches(drafts)), "consents", len(drafts)):
            signed, by = sign(site, some, how.person), recorded_as(site, how.person)
            with write(site.engine) as db:
                keeping.store(db, signed)
                actions.store(db, site.site, signed, by=by, now_us=now_us(site), after=after)
            stored.update(one.id for one in signed)
