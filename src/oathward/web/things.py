"""What a request is about, looked up as far as a decision looks at it: whose product sent a message, which make a device is.

Rules:
- What there is not is looked up with the same work as what there is: as many statements, one signature checked.
- A make counts where the device's document verifies; of an unknown device, and of a message without one, there is none.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from oathward.core.db import read
from oathward.inventory import views as inventory
from oathward.messages import views as messages
from oathward.policy.access import Thing
from oathward.web import standing

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.inventory.views import DeviceView
    from oathward.messages.model import MessageRow
    from oathward.messages.views import Filters
    from oathward.web.view import View


def device(view: View) -> Thing:
    """Say what the device in the path is."""
    site, id_ = view.site, view.part("device")
    with read(site.engine) as db:
        return Thing("device", id_, inventory.make_of(db, site.site, id_, site.authority, site.seen))


def message(view: View) -> Thing:
    """Say whose product sent the message in the path."""
    site, id_ = view.site, view.part("message")
    with read(site.engine) as db:
        sender = messages.device_of(db, site.site, id_)
        return Thing("message", id_, inventory.make_of(db, site.site, sender, site.authority, site.seen))


def own(view: View, db: Connection, makes: frozenset[str]) -> tuple[DeviceView, ...]:
    """Give all devices of these products, by id; read and checked anew where the inventory changed."""
    site = view.site
    key, count = (site.settings.database_url, site.site, makes), inventory.change_count(db, site.site)
    kept = _kept.get(key)
    if kept is None or kept[0] != count:
        if len(_kept) >= _KEPT_MAX:
            _kept.clear()
        found = inventory.of_makes(db, site.site, site.authority, site.seen, makes)
        kept = _kept[key] = (count, tuple(found))
    return kept[1]


def devices(
    view: View, db: Connection, *, begins: str, status: str, after: str, limit: int
) -> list[DeviceView]:
    """List some devices by id: all, or a vendor's own."""
    makes, site = view.makes("devices.see"), view.site
    if makes is None:
        by = (db, site.site, site.authority, site.seen)
        return inventory.page(*by, begins=begins, status=status, after=after, limit=limit)
    fitting = (
        one
        for one in own(view, db, makes)
        if one.device.id > after and one.device.id.startswith(begins) and status in {"", one.status}
    )
    return list(islice(fitting, limit))


_KEPT_MAX = 32
"""Vendors whose devices are remembered."""
_kept: dict[tuple[str, str, frozenset[str]], tuple[int, tuple[DeviceView, ...]]] = {}


def senders(view: View, db: Connection) -> frozenset[str] | None:
    """Give the devices whose messages a list may show; None where it may show all."""
    makes = view.makes("messages.see")
    return None if makes is None else frozenset(one.device.id for one in own(view, db, makes))


_OWN_DOING = ("message.", "device.", "connection.")
"""How the reasons begin that are about what a product sent, and not about a patient or another recipient."""


def own_doing(reason: str) -> bool:
    """Whether a reason is about what a product sent."""
    return reason.startswith(_OWN_DOING)


def told(view: View, row: MessageRow) -> MessageRow:
    """A message's row as far as its viewer may see it: whoever works for a maker sees no subject, nor what one said."""
    if view.makes("messages.see") is None:
        return row
    return row._replace(subject="", reason=row.reason if own_doing(row.reason) else "")


def filters(view: View, wanted: Filters) -> Filters:
    """Leave out a filter that would tell what ``told`` does not."""
    tells = view.makes("messages.see") is not None and not own_doing(wanted.reason)
    return replace(wanted, reason="") if tells else wanted


def own_links(view: View) -> frozenset[str] | None:
    """Name the links whose decisions a viewer may see: those to whom they work for; None where all.

    Who else receives a product's messages, and who does not because a patient said no, is none of its maker's business.
    """
    if view.makes("messages.see") is None:
        return None
    active, party = standing.standing(view.site, view.now).active, view.actor.party
    if active is None or not party:
        return frozenset()
    bundle = active.bundle
    return frozenset(
        one.id for one in bundle.links.values() if bundle.recipients[one.recipient].party == party
    )
