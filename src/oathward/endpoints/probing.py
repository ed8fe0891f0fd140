"""Whether one endpoint may be probed now, at which address, and what speaks against it. Pure.

Rules:
- One address: the one it was seen with last, in the realm that this machine stands in, by a sighting no older than ``FRESH_US``. Nothing is
  looked up by name, and no address is typed in.
- Refused where somebody else may answer: another endpoint was seen or is listed at that address of late, a card of it speaks for others, it is
  heard through a gateway, its identity is in conflict, or a plan of another realm has the same address.
- Refused off the hospital's own network.
- What may be at a patient, or must not fail, is a *risk*. Each risk that holds must be named by whoever orders; what nobody knows is one, and of
  sources that disagree the worst word counts.

Deliberately absent: who may order, and how often (``policy``, ``probes``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.model import MarkKind
from oathward.endpoints.care import Care
from oathward.endpoints.marks import usable_address
from oathward.endpoints.model import EndpointRow, Lease, Whole
from oathward.endpoints.picture import HOUR_US

FRESH_US = 2 * HOUR_US
"""Sightings of addresses are told by the hour: one that speaks was seen within this."""


class Risk(StrEnum):
    """What speaks against probing an endpoint now."""

    IN_USE = "in-use"
    USE_UNKNOWN = "use-unknown"
    CRITICALITY_HIGH = "criticality-high"
    CRITICALITY_UNKNOWN = "criticality-unknown"
    CONSEQUENCE_HIGH = "consequence-high"
    CONSEQUENCE_UNKNOWN = "consequence-unknown"


RISKS: Mapping[str, str] = {
    Risk.IN_USE: "it is in use for a patient now",
    Risk.USE_UNKNOWN: "nobody knows whether it is in use for a patient now",
    Risk.CRITICALITY_HIGH: "its clinical criticality is high",
    Risk.CRITICALITY_UNKNOWN: "nobody said how critical it is",
    Risk.CONSEQUENCE_HIGH: "its failure may injure or kill",
    Risk.CONSEQUENCE_UNKNOWN: "nobody said what its failure leads to",
}
"""Risk -> as people read it."""

_BEARABLE = frozenset(("medium", "low"))
_HARMLESS = frozenset(("delay", "none"))
"""Words of ``endpoints.saying.CHOICES``; any other word counts as the worst."""


def risks(found: Whole) -> tuple[Risk, ...]:
    """List what speaks against probing it now."""
    listed: list[Risk] = []
    if found.row.care == Care.IN_USE:
        listed.append(Risk.IN_USE)
    elif found.row.care != Care.IDLE:
        listed.append(Risk.USE_UNKNOWN)
    criticality, consequence = _said(found, "criticality"), _said(found, "consequence")
    if criticality - _BEARABLE:
        listed.append(Risk.CRITICALITY_HIGH)
    elif not criticality:
        listed.append(Risk.CRITICALITY_UNKNOWN)
    if consequence - _HARMLESS:
        listed.append(Risk.CONSEQUENCE_HIGH)
    elif not consequence:
        listed.append(Risk.CONSEQUENCE_UNKNOWN)
    return tuple(listed)


def check_risks(found: Whole, although: Collection[str]) -> tuple[Risk, ...]:
    """Give the risks that hold, once each is named.

    Raises:
        InputError: ``input.invalid``: a risk there is not; ``probe.at-risk``: one holds that was not named.
    """
    if unknown := set(although) - set(Risk):
        why = f"names a risk that there is not; there are {', '.join(Risk)}"
        raise InputError("although", f"{why} ({len(unknown)})", reason=Reason.INPUT_INVALID)
    held = risks(found)
    left = [one for one in held if one not in although]
    if left:
        why = "; ".join(f"{RISKS[one]} ({one.value})" for one in left)
        raise InputError("risks", f"{why}. Name each to take it", reason=Reason.PROBE_AT_RISK)
    return held


def address_of(found: Whole, realm: str, now_us: int) -> Lease:
    """Give the address that an endpoint holds now, as far as its own sightings say.

    Args:
        realm: in which this machine stands.

    Raises:
        InputError: ``probe.off-network``, ``probe.address-unknown``, ``probe.other-realm``, ``probe.address-stale``, ``probe.address-shared``.
    """
    row = found.row
    if row.merged:
        raise InputError("endpoint", "is part of another", reason=Reason.CONFLICT)
    if row.sort != "network":
        raise InputError("endpoint", "is not on the hospital's network", reason=Reason.PROBE_OUTSIDE)
    newest = max(found.leases, key=lambda one: (one.until_us, one.from_us), default=None)
    if newest is None or not usable_address(newest.address):
        raise InputError("address", "was never seen in traffic", reason=Reason.PROBE_ADDRESS_UNKNOWN)
    if newest.realm != realm:
        why = "means something in another realm than that of this machine"
        raise InputError("address", why, reason=Reason.PROBE_REALM)
    if not now_us - FRESH_US <= newest.until_us <= now_us + HOUR_US:
        raise InputError("address", "was not seen in use within two hours", reason=Reason.PROBE_ADDRESS_STALE)
    _check_alone(row, found)
    return newest


def check_others(mine: Lease, leases: Sequence[Lease], listed: Collection[str], now_us: int) -> None:
    """See that nobody else may answer at an address.

    Args:
        leases: of that address in every realm, standing endpoints' alone. listed: endpoints that a list has at the address in its realm.

    Raises:
        InputError: ``probe.other-realm``, ``probe.address-shared``.
    """
    for one in leases:
        of_late = one.until_us >= now_us - FRESH_US or one.until_us > mine.until_us
        if one.realm != mine.realm and of_late:
            why = "is in use in another realm too"
            raise InputError("address", why, reason=Reason.PROBE_REALM)
        if one.realm == mine.realm and one.endpoint != mine.endpoint and of_late:
            why = "was seen with another endpoint of late"
            raise InputError("address", why, reason=Reason.PROBE_ADDRESS_SHARED)
    if set(listed) - {mine.endpoint}:
        why = "is another endpoint's by a list"
        raise InputError("address", why, reason=Reason.PROBE_ADDRESS_SHARED)


def _check_alone(row: EndpointRow, found: Whole) -> None:
    why = ""
    if row.parent:
        why = "is its gateway's: it was heard through another endpoint"
    elif any(held.fronts for _, _, held in found.marks):
        why = "may be others' too: a card of it speaks for more than one"
    elif any(not one.closed_us for one in found.conflicts):
        why = "may be another's: its identity is in conflict"
    if why:
        raise InputError("address", why, reason=Reason.PROBE_ADDRESS_SHARED)


def called_title(found: Whole) -> str:
    """Give the DICOM AE title that an endpoint goes by, the last heard; empty where nobody knows one."""
    marks = [(held.last_us, mark.value) for mark, _, held in found.marks if mark.kind is MarkKind.AE_TITLE]
    titles = ((one.last_us, one.value) for one in found.attributes if one.attribute == "ae-title")
    return max(marks or titles, default=(0, ""))[1]


def _said(found: Whole, attribute: str) -> frozenset[str]:
    """Give the value that stands first, and those that sources say against it."""
    rows = [one for one in found.attributes if one.attribute == attribute]
    return frozenset(one.value for one in rows if one.shown or one.conflict)
