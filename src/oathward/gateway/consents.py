"""Consents that come as messages: kept sealed for a person, and what they may take away pends at once (ADR 0024).

Rules:
- A Consent travels to recipients like any message; it comes into force only when a person imports it.
- Noted once: a release is no new arrival; it may know better whose they are.

Deliberately absent: what pends (``consent.arrived``), and what a decision makes of it (``policy.decide``).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from oathward.consent import actions
from oathward.consent.arrived import arrived
from oathward.consent.model import ARRIVED
from oathward.consent.views import was_noted
from oathward.protocols.fhir.json import dumps

if TYPE_CHECKING:
    from oathward.gateway.arrival import Part
    from oathward.gateway.gate import Gate

FINDING = "consent.arrived"


def note(gate: Gate, part: Part, message: Any, device: str) -> None:
    """Note the Consents of one patient's part: for a person, and for decisions from the next second on.

    Raises:
        VaultError: they cannot be sealed: the message is not acknowledged.
    """
    arrival = part.arrival
    if arrival.wire.name != "fhir":
        return
    found = message.of_type("Consent")
    if not found:
        return
    subject = part.resolution.subject
    if arrival.release and was_noted(gate.engine, gate.site, arrival.id):
        part.acts.append(partial(actions.attribute, site=gate.site, message=arrival.id, subject=subject))
        return
    lines = b"\n".join(map(dumps, found))
    part.keep(ARRIVED, gate.sealer.seal_original(subject, arrival.id, ARRIVED, lines))
    part.find(FINDING)
    part.acts.append(
        partial(
            actions.arrive,
            site=gate.site,
            message=arrival.id,
            subject=subject,
            device=device,
            found=arrived(found, arrival.id),
            at_us=arrival.at_us,
        )
    )
