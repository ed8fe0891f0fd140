"""The network against what is declared: flows nobody declared, connections to outside, data in clear text, sensors that are silent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.db import read
from oathward.core.finding import State
from oathward.core.labels import Role
from oathward.findings import views
from oathward.findings.model import Filters
from oathward.network import listening
from oathward.network import views as network
from oathward.web.card import Card

if TYPE_CHECKING:
    from oathward.web.view import View

KINDS = {
    "flow.undeclared": "flows nobody declared",
    "connection.unregistered": "connections to outside nobody registered",
    "connection.outside-agreement": "connections outside their agreement",
    "flow.clear-text-phi": "conversations with patients' data in clear text",
    "identity.claimed-twice": "identities claimed twice",
}
"""Kind of finding -> what so many of it are, in words."""


def values(view: View) -> Mapping[str, Any] | None:
    """Count; nothing to say before anything was seen."""
    site = view.site.site
    with read(view.site.engine) as db:
        newest_us = network.newest_us(db, site)
        streams = listening.streams(db, site)
        if not newest_us and not streams:
            return None
        wanted = Filters(state=State.OPEN.value)
        found = views.facets(db, site, wanted, view.now_us) if view.may("findings.see") else None
    return {
        "kinds": [(kind, words, found.kinds.get(kind, 0)) for kind, words in KINDS.items()] if found else [],
        "newest_us": newest_us,
        "overdue": found.overdue if found else 0,
        "silent": sum(one.is_silent(view.now_us) for one in streams),
        "sources": len(streams),
    }


CARD = Card(
    "card_network.html",
    values,
    "network.see",
    first=frozenset({Role.SECURITY_ANALYST}),
    order=12,
)
