"""What a change requires, answered from the register: agreements, assessments, owners and stewards who are here.

This module is the ``Register`` of a keeper as well: console and keeper look by the same function. So is what consents
withhold from the people of this house (``withholding``), what a patient says when they choose (``choosing``), who is one
patient by a person's word, and of whom something went out under a project's names.

Rules:
- An assessment of a link or recipient is of it as it would be; one without a digest was written before it was there.
- Who left, or cannot be read, is nobody.

Deliberately absent: which change requires what (``policy.requirements``).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection

from oathward.activation import load_active
from oathward.changes.views import file
from oathward.choosing import answer as chosen
from oathward.choosing import family
from oathward.choosing import store as store_chosen
from oathward.core.clock import micros
from oathward.core.db import read
from oathward.core.errors import AuthorityError
from oathward.governance import views as governance
from oathward.governance.derive import digest_of
from oathward.inventory import sql as inventory
from oathward.inventory.model import Device
from oathward.jobs import views as jobs
from oathward.ledger import Query, search
from oathward.patients import views as patients
from oathward.policy.bundle import Bundle
from oathward.policy.difference import Change
from oathward.policy.model import KEEP, Link, Recipient, Sources
from oathward.policy.people import PERSON, Person
from oathward.policy.requirements import Held, Need, Requirement, answered, needed
from oathward.vault.authority import load
from oathward.withholding import withheld

if TYPE_CHECKING:
    from oathward.vault.keeper.changing.papers import Asked

__all__ = ["chosen", "confirmed", "family", "file", "named_in", "requirements", "store_chosen", "withheld"]

_PAGE = 5_000
_RECORDS_MAX = 2_000
_KNOWN_MAX = 64
_models_known: dict[tuple[str, int, bytes, bytes], dict[str, set[str]]] = {}
"""By state of the inventory and the two bundles: a page is loaded again and again, and devices are many."""

_NEW_DEVICES = ("link.added", "link.sources.devices", "link.sources.kinds", "link.sources.tags")


def requirements(
    site: Asked, changes: Sequence[Change], before: Bundle | None, after: Bundle
) -> tuple[Requirement, ...]:
    """Say what a change requires, and what of it is there now."""
    now_us = micros(site.clock.now())
    with read(site.engine) as db:
        needs = needed(changes, before, after, _models(db, site.site, changes, before, after))
        looks = [_look(db, site, need, after, now_us) for need in needs]
    held = {need: found for need, found in zip(needs, looks, strict=True) if isinstance(found, Held)}
    lacks = {need: found for need, found in zip(needs, looks, strict=True) if not isinstance(found, Held)}
    return answered(needs, held, lacks)


def named_in(site: Asked, project: str, subjects: Collection[str]) -> frozenset[str]:
    """Give those of some subjects of whom something is on record that went out under a project's names.

    Of a merged patient what was recorded of any of their numbers counts, and of a link that is gone nobody can say whose it was: it
    counts too.

    Raises:
        AuthorityError: the bundle in force does not verify.
    """
    with read(site.engine) as db:
        active = load_active(db, site.site, site.authority, site.seen)
        others = {
            link.id for link in (active.bundle.links.values() if active else ()) if link.project != project
        }
        return frozenset(
            one
            for one in subjects
            if jobs.units_in_project(db, site.site, project, family := patients.family(db, site.site, one))
            or any(_went_out(db, site.site, own, others) for own in family)
        )


def _went_out(db: Connection, site: str, subject: str, others: Collection[str]) -> bool:
    """Say whether a message of a subject passed on a link that is none of some."""
    found = search(db, site, Query(subject=subject, kind="message.accepted"), limit=_RECORDS_MAX)
    answers = (answer for one in found for answer in one.body.get("answers", ()))
    return any(answer[1] == "permit" and answer[0] not in others for answer in answers)


def confirmed(site: Asked, subject: str) -> frozenset[str]:
    """Give the subjects that are one patient where it takes a person's word.

    Raises:
        AuthorityError: a confirmation of a merge does not verify.
    """
    with read(site.engine) as db:
        return frozenset(patients.confirmed_family(db, site.site, subject, site.authority, site.seen))


def _look(db: Connection, site: Asked, need: Need, after: Bundle, now_us: int) -> Held | tuple[str, ...]:
    """Find what meets a need, or say why what there is does not."""
    match need.kind:
        case "agreement":
            link = after.links[need.id]
            recipient = after.recipients[link.recipient]
            row = governance.covering_agreement(db, site.site, link, recipient, now_us=now_us)
            if row is not None:
                return _held(row.id, row)
            return governance.not_covered(db, site.site, link, recipient, now_us=now_us)
        case "assessment":
            return _assessment(db, site, need, after, now_us)
    entry = governance.owner_of(db, site.site, need.thing, need.id)
    person = getattr(entry, need.kind) if entry else ""
    if not person:
        return ()
    return _held(person, entry) if _is_here(db, site, person) else (f"{person} has left, or is nobody here",)


def _assessment(
    db: Connection, site: Asked, need: Need, after: Bundle, now_us: int
) -> Held | tuple[str, ...]:
    thing: Link | Recipient | None = None
    if need.thing == "link":
        thing = after.links.get(need.id)
    elif need.thing == "recipient":
        thing = after.recipients.get(need.id)
    digest = digest_of(thing) if thing is not None else ""
    ask = (db, site.site, need.thing, need.id)
    row = governance.assessment(*ask, now_us=now_us, about_digest=digest)
    if row is None:
        earlier = governance.assessment(*ask, now_us=now_us)
        if earlier is not None and earlier.about_digest:
            return (f"{earlier.id} is about what it was before this change",)
        row = earlier
    return _held(row.id, row) if row is not None else ()


def _held(name: str, row: Any) -> Held:
    """Name a row as it stands, by its digest."""
    values = dataclasses.asdict(row)
    body = orjson.dumps(values, default=sorted, option=orjson.OPT_SORT_KEYS)
    return Held(name, hashlib.sha256(body).hexdigest())


def _is_here(db: Connection, site: Asked, person: str) -> bool:
    try:
        document = load(db, site.site, PERSON, person, site.authority, site.seen)
        return Person.from_body(document.body).state == "active"
    except (AuthorityError, ValueError, KeyError, TypeError):
        return False


# --- models of devices that come to a link


def _models(
    db: Connection, site: str, changes: Iterable[Change], before: Bundle | None, after: Bundle
) -> dict[str, set[str]]:
    """List the models of devices that a link takes now and took from none of before."""
    changed = {name for c in changes if c.kind in _NEW_DEVICES and c.direction == "widen" for name in c.links}
    links = [after.links[name] for name in sorted(changed) if name in after.links]
    if before is None or not links:
        return {}  # with a first bundle every device is assessed as it is adopted
    key = (site, inventory.change_count(db, site), before.digest, after.digest)
    if key not in _models_known:
        if len(_models_known) >= _KNOWN_MAX:
            _models_known.clear()
        _models_known[key] = _new_models(db, site, links, before)
    return _models_known[key]


def _new_models(db: Connection, site: str, links: Sequence[Link], before: Bundle) -> dict[str, set[str]]:
    took: dict[str, set[str]] = {link.id: set() for link in links}
    takes: dict[str, set[str]] = {link.id: set() for link in links}
    everywhere: set[str] = set()
    for device in _devices(db, site):
        model = f"{device.make}|{device.model}"
        if any(_fits(one.sources, device) for one in before.links.values() if one.recipient != KEEP):
            everywhere.add(model)
        for link in links:
            old = before.links.get(link.id)
            if old is not None and _fits(old.sources, device):
                took[link.id].add(model)
            if _fits(link.sources, device):
                takes[link.id].add(model)
    return {
        name: {m for m in found - took[name] - everywhere if m.strip("|")} for name, found in takes.items()
    }


def _devices(db: Connection, site: str) -> Iterator[Device]:
    """Read every device; one whose document says nothing is none."""
    after = ""
    while rows := inventory.page(db, site, after=after, before="", status="", limit=_PAGE):
        after = rows[-1].document.id
        for row in rows:
            with suppress(ValueError):
                yield row.device


def _fits(sources: Sources, device: Device) -> bool:
    """Whether a link's sources take a device, by id, kind or tag."""
    if "*" in sources.devices | sources.kinds | sources.tags:
        return True
    return device.id in sources.devices or device.kind in sources.kinds or bool(sources.tags & device.tags)
