"""Care states kept true: who sends clinical data now is in use, who stopped is idle where a sensor would see it, else nobody knows.

Rules:
- Clinical data are what an endpoint sends by ``CLINICAL`` services, and messages that the gateway took of its declared device, ADT aside.
- Who passes on what others measured (an interface engine, a server) is in use for nobody.
- Idle is said only of who was in use before, and only where a sensor of its realm, or the gateway that took its messages, was at work since.
- Looked at after each run, and every minute by the ``app`` process: "now" is the time of this machine, so that an old capture makes nobody in use.

Deliberately absent: what ADT says of the bed or patient that a device's last messages named. A discharge does not take a device off the next patient, and
who is admitted need not hang at it: of who is silent where no sensor listens nobody knows (ADR 0052).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.clock import micros
from oathward.core.db import read
from oathward.discovery.model import Mark, MarkKind
from oathward.endpoints import caring, listed
from oathward.endpoints import views as endpoints
from oathward.endpoints.care import IN_USE_US, Care, care
from oathward.endpoints.loading import top_of
from oathward.messages import views as messages
from oathward.network import views as network

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.vault.opened import Opened

CLINICAL = frozenset({"hl7", "dicom", "fhir"})
GATEWAY = "messages to this gateway"
PASSES_ON = frozenset({"interface-engine", "ehr-server", "pacs", "server", "device-gateway", "workstation"})


def tend(site: Opened) -> int:
    """Say anew who is in use; gives how many states are others now."""
    now_us = micros(site.clock.now())
    since_us = now_us - IN_USE_US
    with read(site.engine) as db:
        before = caring.standing(db, site.site)
        watched = network.watched_since(db, site.site, since_us)
        told = _told(db, site.site, since_us)
        rows = endpoints.names(db, site.site, sorted({*before, *told}))
        for id_ in [
            one for one in told if one in rows and rows[one].merged
        ]:  # it sent that before it was known who it is
            whole = top_of(db, site.site, id_)
            told[whole] = max(told.get(whole, ("", 0)), told[id_], key=lambda one: one[1])
            rows |= endpoints.names(db, site.site, [whole])
    changed: dict[str, tuple[Care, str, int]] = {}
    for id_, row in rows.items():
        by, at_us = told.get(id_, ("", 0))
        old = before.get(id_)
        if row.merged or row.type in PASSES_ON:
            now = Care.UNKNOWN
        else:
            now = care([at_us], now_us, watched=old is not None and row.realm in watched)
        if now is not (old.care if old is not None else Care.UNKNOWN):
            when_us = at_us or (old.last_us if old is not None else now_us)
            changed[id_] = now, by or "nothing seen since", when_us
    if changed:
        caring.put(site.engine, site.site, changed, now_us, caring.SOURCE)
    return len(changed)


def _told(db: Connection, site: str, since_us: int) -> dict[str, tuple[str, int]]:
    """Give who sent clinical data since a time: endpoint -> by what, and when last."""
    found: dict[str, tuple[str, int]] = {}
    for id_, service, at_us in network.clinical_since(db, site, CLINICAL, since_us):
        found.setdefault(id_, (service, at_us))
    sent = messages.clinical_since(db, site, since_us)
    having = listed.having(db, site, "", [Mark(MarkKind.DEVICE, device) for device in sent])
    for mark, ids in having.items():
        for id_ in ids:
            if sent[mark.value] > found.get(id_, ("", 0))[1]:
                found[id_] = GATEWAY, sent[mark.value]
    return found
