"""Telling by itself: all that the living picture finds becomes findings, after each run and at the ``app`` process's own times.

Rules:
- What is told: what differs on the map, what is wrong with imported rules, elements that nobody uses. Each is told whole: what is gone is cleared.
- One telling of a site at a time; told again with nothing changed, it only counts.
- Of rules that cannot be read what was told stays, and the rest is told; ``rules compare`` says why.
- Bounded: ``reading.CONVERSATIONS_MAX`` conversations, ``RECORDS_MAX`` records, ``reconciling.TOLD_MAX`` findings of each source. Where
  there was more of anything, nothing is cleared.

Deliberately absent: when (``observe`` and the ``app`` process say so).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from oathward.activation import load_active
from oathward.core.clock import micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.parsing import ParserError
from oathward.endpoints.alone import alone
from oathward.findings.model import Told
from oathward.findings.reconciling import reconcile
from oathward.inventory import views as inventory
from oathward.mapping import raising, reading, ruling, sending
from oathward.network import views as network

if TYPE_CHECKING:
    from oathward.inventory.model import Device
    from oathward.mapping.reading import Living
    from oathward.policy.bundle import Bundle
    from oathward.vault.opened import Opened

RECORDS_MAX = 100_000
"""Records of the ledger in which elements are looked for."""

_DAY_US = 86_400_000_000
_ELEMENT_DAYS = 30

log = structlog.get_logger()


def tell_all(site: Opened) -> Told:
    """Tell all that is found now; gives how many are new, were there, are back, and are gone."""
    with alone(site.engine, site.site, "telling"):
        now_us = micros(site.clock.now())
        bundle, devices = bundle_of(site), devices_of(site)
        found = reading.read_living(site, bundle, now_us, devices)
        told = reading.tell(site, found, now_us)
        told += _tell_elements(site, bundle, devices, now_us)
        return told + _tell_rules(site, found, now_us)


def _tell_rules(site: Opened, found: Living, now_us: int) -> Told:
    with read(site.engine) as db:
        rows = network.rulesets(db, site.site)
        since_us = network.since(db, site.site, now_us, reading.DAYS)
    told = Told()
    for row in rows:
        try:
            told += ruling.tell(site, row, found, (since_us, since_us + reading.DAYS * _DAY_US), now_us)
        except (InputError, ParserError) as error:  # kept by another version, and not read any more
            log.warning("rules not read", name=row.name, reason=error.reason.code)
    return told


def bundle_of(site: Opened) -> Bundle | None:
    """Give the bundle in force; None where there is none."""
    with read(site.engine) as db:
        active = load_active(db, site.site, site.authority, site.seen)
    return active.bundle if active is not None else None


def devices_of(site: Opened) -> list[Device]:
    """Give the declared devices."""
    with read(site.engine) as db:
        return [view.device for view in inventory.devices(db, site.site, site.authority, site.seen)]


def _tell_elements(site: Opened, bundle: Bundle | None, devices: list[Device], now_us: int) -> Told:
    found = sending.sending(site, now_us - _ELEMENT_DAYS * _DAY_US, records_max=RECORDS_MAX)
    rows = sending.unused(found, bundle) if bundle is not None else []
    seen = raising.of_elements(rows, {one.id: one for one in devices})
    terms, whole = site.settings.findings, not found.left
    return reconcile(site.engine, site.site, raising.ELEMENTS, seen, terms, now_us, whole=whole)
