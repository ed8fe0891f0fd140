"""Who may see what of one patient now, by which consent or rule: each link of the bundle in force, asked about a plain message.

Rules:
- Everything is decided by the engine itself (``policy.explain``); nothing here permits or forbids.
- The message that is asked about is of a type and a device that the link takes, labelled N, and bears each code that some
  consent names. What labels take besides stands beside it.

Deliberately absent: who the patient is, and whether the viewer may ask (``web``, ``cli``).
"""

from __future__ import annotations

from dataclasses import dataclass

from oathward.activation import Active
from oathward.consent.views import Consents
from oathward.core.clock import micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.explaining.told import Told, told
from oathward.patients import views as patients
from oathward.policy.bundle import Bundle
from oathward.policy.explain import explain
from oathward.policy.model import TRANSPORT_CLASSES, Facts, Link
from oathward.policy.plain import Known, plain_facts
from oathward.vault.opened import Opened


@dataclass(frozen=True, slots=True)
class Receives:
    """What one recipient gets of a patient now on one link. ``labels``: sensitivity -> classes it then does not get."""

    link: str
    recipient: str
    recipient_name: str
    purpose: str
    legal_basis: str
    rests_on_consent: bool
    objection: str
    takes: str
    confidentiality_max: str
    labels: dict[str, list[str]]
    told: Told


def family_of(site: Opened, subject: str) -> tuple[str, ...]:
    """List everyone a subject stands for, itself included.

    Raises:
        InputError: ``not-found``.
    """
    with read(site.engine) as db:
        found, there = patients.family(db, site.site, subject), patients.exists(db, site.site, subject)
    if not there:
        raise InputError("subject", "no such subject", reason=Reason.NOT_FOUND)
    return found


def receives(site: Opened, active: Active | None, subject: str) -> list[Receives]:
    """Say what each link of the bundle in force lets pass of a patient now."""
    if active is None:
        return []
    bundle, now_us = active.bundle, micros(site.clock.now())
    said = standing(site, subject)
    rows = []
    for link in sorted(bundle.links.values(), key=lambda one: (one.for_care, one.purpose, one.id)):
        facts = plain_facts(site.site, link, said, clock_sure=site.clock.sure())
        rows.append(_receives(bundle, link, facts, now_us))
    return rows


def standing(site: Opened, subject: str) -> Known:
    """Read what stands for a patient now, with everyone they stand for."""
    with read(site.engine) as db:
        family = patients.family(db, site.site, subject)
        consents = Consents(site.site, site.authority, site.seen, family=lambda _: family)
        consents.refresh(db)
    return consents.of(site.engine, (subject,))


def _receives(bundle: Bundle, link: Link, facts: Facts, now_us: int) -> Receives:
    recipient = bundle.recipients.get(link.recipient)
    labels = {
        code: sorted(link.classes & classes - TRANSPORT_CLASSES)
        for code, classes in sorted(link.sensitivity_denied.items())
    }
    return Receives(
        link.id,
        link.recipient,
        recipient.name if recipient else link.recipient,
        str(link.purpose),
        link.legal_basis,
        not link.without_consent,
        link.objection,
        str(facts.message_type),
        str(link.confidentiality_max),
        labels,
        told(explain(bundle, link, facts, now_us)),
    )
