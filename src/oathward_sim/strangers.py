"""Devices that must not get through: unknown, lying about who they are, or certified by nobody we know.

Rules:
- What they send is about real patients of the hospital, so that a mistake shows as a leak.
- The unknown one can be adopted: then its messages may go where those of its kind go. The others lie: never.
- Each sends slowly; the gateway acknowledges what it stores, so their messages count as accepted and held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from oathward_sim import home, pumps
from oathward_sim.hospital import Device, Hospital
from oathward_sim.plan import Planned, Rule
from oathward_sim.senders import Door, FhirSender, Sender, TlsFiles

UNKNOWN = Device("INFUSER-99", "00AC3F00DEADBEEF", "pump", "Unlisted", "Drip 1", "UN-1", "MED", known=False)
"""A pump nobody told the inventory of."""

_SOURCE_FIRST = 81
_RATE_S = 0.7


def senders(
    hospital: Hospital,
    plain: Door,
    secure: Door | None,
    device_tls: Mapping[str, TlsFiles],
    foreign: TlsFiles | None,
    rules: Sequence[Rule] = (),
    fhir: Door | None = None,
) -> list[Sender]:
    """Make the strangers that can exist with these doors.

    Args:
        foreign: TLS files of a certificate that no authority of ours signed.
        rules: where messages of a device of ours go.
        fhir: the FHIR door.
    """
    first, second = hospital.pumps[:2]
    found = [_sender("unknown", plain, hospital, UNKNOWN, 0, rules)]
    if device_tls and secure is not None:
        # Says it is the first pump: once with no certificate at all, once with the second pump's own.
        found.append(_sender("no certificate", plain, hospital, first, 1))
        found.append(
            _sender("another's certificate", replace(secure, tls=device_tls[second.name]), hospital, first, 2)
        )
    if foreign is not None and secure is not None:
        sender = _sender("foreign certificate", replace(secure, tls=foreign), hospital, first, 3)
        sender.gives_up = True
        found.append(sender)
    if foreign is not None and fhir is not None:
        worn = hospital.wearables[0]
        plans = home.wearable(hospital, worn, _SOURCE_FIRST + 4, hospital.patients[0], ())
        door = replace(fhir, tls=foreign)
        found.append(
            FhirSender("foreign certificate, FHIR", door, plans, _RATE_S, seed=hospital.seed, gives_up=True)
        )
    return found


def _sender(
    name: str, door: Door, hospital: Hospital, device: Device, number: int, rules: Sequence[Rule] = ()
) -> Sender:
    source = _SOURCE_FIRST + number
    who = hospital.patients[number]
    return Sender(
        name,
        door,
        _for_nobody(pumps.reports(hospital, device, source, who, rules), number),
        rate_s=_RATE_S,
        seed=hospital.seed,
    )


def _for_nobody(plans: Iterator[Planned], number: int) -> Iterator[Planned]:
    """Give each message a control id of its own, as two senders claim to be one device; due nowhere by itself."""
    for plan in plans:
        control_id = f"X{number}{plan.control_id}"
        data = plan.data.replace(plan.control_id.encode(), control_id.encode(), 1)
        adopted = plan.must | plan.may
        yield replace(
            plan, control_id=control_id, data=data, must=frozenset(), may=frozenset(), once_adopted=adopted
        )
