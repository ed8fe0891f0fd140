"""What a request is about, looked up as far as a decision looks at it: whose product sent a message, which make a device is.

Rules:
- What there is not is looked up with the same work as what there is: as many statements, one signature checked.
- A make counts where the device's document verifies; of an unknown device, and of a message without one, there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.db import read
from oathward.inventory import views as inventory
from oathward.messages import views as messages
from oathward.policy.access import Thing

if TYPE_CHECKING:
    from sqlalchemy import Connection

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


def senders(view: View, db: Connection) -> frozenset[str] | None:
    """Give the devices whose messages a list may show; None where it may show all."""
    makes = view.makes("messages.see")
    if makes is None:
        return None
    site = view.site
    own = inventory.of_makes(db, site.site, site.authority, site.seen, makes)
    return frozenset(one.device.id for one in own)
