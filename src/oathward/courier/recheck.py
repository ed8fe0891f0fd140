"""Decide again, at delivery, what may have changed since the message was accepted.

Rules:
- A notice of what a patient allows goes out whatever they deny, for as long as its link is there.
- A row is looked at again when the bundle, the subject's consents or the end of its permit moved.
- It goes out only if the new answer permits every class that the old one did; else it is withheld,
  with a record. A wider answer changes nothing: what was left out stays out.
- What cannot be told is not sent now; the row stays and is tried again. What a Consent that arrived may take away is
  withheld, for a person's answer is nothing to wait for in a row; and what was denied or granted by code
  meanwhile, of codes that nobody had asked for, is withheld: the message is not there any more to be looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from sqlalchemy import Connection, Engine

from oathward import ledger
from oathward.consent.views import Known, Unknown
from oathward.core.db import read
from oathward.core.reasons import Reason
from oathward.messages.model import OutboxRow
from oathward.plans import Plans, permit_of, route_of, wire_of_type
from oathward.policy.bundle import Bundle
from oathward.policy.decide import care_first, decide
from oathward.policy.model import Deny, Facts, Indeterminate, Permit


@dataclass(frozen=True, slots=True)
class Now:
    """The state of the world a batch of rows is checked against.

    ``label``: name and version of the bundle. ``consents``: persons of a row -> (version, facts), for every row of the batch.
    """

    bundle: Bundle
    label: str
    plans: Plans
    consents: Mapping[tuple[str, ...], Known | Unknown]
    at_us: int
    clock_sure: bool


@dataclass(frozen=True, slots=True)
class Later:
    """It cannot be told now: the row stays, its sender's later ones wait behind it, and it is asked again."""

    why: Reason


def _stands(row: OutboxRow, now: Now) -> bool:
    """Whether bundle, consents and the end of the permit are what they were when it was given."""
    expired = row.valid_until_us and now.at_us >= row.valid_until_us
    known = row.bundle == now.label and row.consent_version == now.consents[row.persons][0]
    return known and not expired


def _unmoved(row: OutboxRow, now: Now) -> Reason | Later | None:
    """Answer for what need not be decided again."""
    if row.is_notice:  # no data: it says what is allowed now, and what is denied is what it is for
        return None if row.link in now.bundle.links else Reason.NO_LINK
    return None if now.clock_sure or not row.valid_until_us else Later(Reason.CLOCK_UNSURE)


def refused_each(
    engine: Engine, site: str, rows: Sequence[OutboxRow], now: Now
) -> list[Reason | Later | None]:
    """Say of each row what ``refused_now`` says; the database is asked only where something moved."""
    if all(
        not row.is_notice and _stands(row, now) and (now.clock_sure or not row.valid_until_us) for row in rows
    ):
        return [None] * len(rows)
    with read(engine) as db:
        return [refused_now(db, site, row, now) for row in rows]


def refused_now(db: Connection, site: str, row: OutboxRow, now: Now) -> Reason | Later | None:
    """Say why a delivery that was permitted may not go out (now); ``None`` when it may."""
    if row.is_notice or _stands(row, now):
        return _unmoved(row, now)
    version, consents = now.consents[row.persons]
    link = now.bundle.links.get(row.link)
    if link is None:
        return Reason.NO_LINK
    facts, plan = (ledger.facts(db, site, digest) for digest in (row.facts, row.plan))
    if facts is None or plan is None:
        return Reason.FACT_MISSING
    renewed = Facts.from_body(facts).renewed(
        consent_version=version, consents=consents, clock_sure=now.clock_sure
    )
    answer = decide(now.bundle, link, renewed, now.at_us)
    if isinstance(answer, Indeterminate):
        answer = care_first(link, answer)
    match answer:
        case Deny(_, reasons):
            return reasons[0]
        case Indeterminate(_, why, about):
            # What was not looked at then cannot be looked at any more: it would wait for ever. For a person's answer
            # to what arrived others would wait behind it.
            if about == ("codes_present",):
                why = Reason.PERMIT_NARROWED
            return why if why in (Reason.PERMIT_NARROWED, Reason.CONSENT_WAITING) else Later(why)
        case Permit():
            then = permit_of(plan, answer)
            route = route_of(now.bundle, link, wire_of_type(renewed.message_type))
            as_then = (
                answer.covers(then.classes, then.withheld, then.only)
                and now.plans.of(route, link, then).key == row.plan
            )
            return None if as_then else Reason.PERMIT_NARROWED
        case _ as never:
            assert_never(never)
