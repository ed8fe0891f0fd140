"""Links of the policy in force, by the API: who gets which classes, for which purpose, on which ground."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.activation import load_active
from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.web.calls import Call
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.activation import Active
    from oathward.policy.model import Link
    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class LinkOut:
    """One declared flow; `bundle`: the policy it stands in."""

    id: str
    recipient: str
    recipient_name: str
    party: str
    purpose: str
    legal_basis: str
    classes: list[str]
    profile: str
    project: str
    agreement: str
    without_consent: bool
    objection: str
    format: str
    carries_identity: bool
    confidentiality_max: str
    retention_days: int
    valid_from: datetime | None
    valid_until: datetime | None
    bundle: str


def links(view: View) -> Response:
    """List the links of the policy in force, by id; all of them, for there are few."""
    active = _active(view)
    found = sorted(active.bundle.links.values(), key=lambda one: one.id) if active else []
    return view.listed([_plain(active, one) for one in found if active])


def link(view: View) -> Response:
    """Give one link."""
    active = _active(view)
    found = active.bundle.links.get(view.part("link")) if active else None
    if active is None or found is None:
        raise InputError("link", "there is no such link", reason=Reason.NOT_FOUND)
    return view.json(_plain(active, found))


def _active(view: View) -> Active | None:
    site = view.site
    with read(site.engine) as db:
        return load_active(db, site.site, site.authority, site.seen, current=view.asking.active)


def _plain(active: Active, one: Link) -> LinkOut:
    recipient = active.bundle.recipients[one.recipient]
    return LinkOut(
        *(one.id, one.recipient, recipient.name, recipient.party, one.purpose.value, one.legal_basis),
        *(sorted(one.classes), one.profile, one.project, one.agreement, one.without_consent, one.objection),
        *(one.format or "", one.carries_identity, one.confidentiality_max.value, one.retention_days),
        from_micros(one.valid_from_us) if one.valid_from_us is not None else None,
        from_micros(one.valid_until_us) if one.valid_until_us is not None else None,
        active.label,
    )


API = (
    Route("/api/v1/links", links, action="links.see", api=True, call=Call(gives=LinkOut, listed=True)),
    Route(
        "/api/v1/links/{link}",
        link,
        action="links.see",
        thing=named("link", "link"),
        api=True,
        call=Call(gives=LinkOut),
    ),
)
