"""Links: who gets which classes for which purpose on which basis, in words; and what a made-up message would become.

Rules:
- Everything shown is of the bundle in force: what was declared, signed and is decided by.
- The sample is ``gateway.sample``: nobody in it exists, nothing is sent or stored, and it is shaped by keys of no site.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.activation import load_active
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.labels import CLASSES, Purpose
from oathward.core.reasons import Reason
from oathward.gateway.sample import Sample, sample
from oathward.gateway.twins import Story, labelled
from oathward.gateway.wires import FHIR, HL7V2
from oathward.policy.consents import ConsentFact
from oathward.policy.model import KEEP
from oathward.web import link_standing, standing
from oathward.web.page import Page, Route, named
from oathward.web.view import View

if TYPE_CHECKING:
    from oathward.activation import Active
    from oathward.policy.bundle import Bundle
    from oathward.policy.model import Link, Recipient

PURPOSES = {
    Purpose.TREAT: "treatment",
    Purpose.ETREAT: "emergency treatment",
    Purpose.BTG: "emergency access",
    Purpose.HPAYMT: "payment",
    Purpose.HOPERAT: "running the services",
    Purpose.HRESCH: "research",
    Purpose.PUBHLTH: "public health",
    Purpose.SYSADMIN: "running the systems",
    Purpose.PATRQT: "the patient's own request",
}
WIRES = {"hl7v2": "HL7 v2", "fhir": "FHIR R4"}
_ALL = frozenset({"*"})
SAID = {
    "": "nothing",
    "yes": "allows this link everything",
    "no": "denies this link everything",
    "measurements": "allows everything but measurements",
    "code": "allows everything but this measurement's code",
}
"""What the patient of the sample has said, as the form asks."""
ANSWERS = {
    "permit": ("ok", "would get this"),
    "deny": ("off", "would get nothing"),
    "indeterminate": ("note", "would be held"),
    "held": ("note", "would be held"),
    "not taken": ("off", "does not take it"),
}


@dataclass(frozen=True, slots=True)
class Declared:
    """One link as people read it. ``classes``: what it names, by group; ``whole``: it names every class there is."""

    link: Link
    recipient: Recipient
    purpose: str
    basis: str
    consent: str
    leaves_as: str
    classes: tuple[tuple[str, tuple[str, ...]], ...]
    whole: bool


def show(view: View) -> Response:
    """List the links, and what each would give of the sample."""
    active = _active(view)
    if active is None:
        return view.page("links.html", active=None, links=[], samples={}, waiting={})
    bundle = active.bundle
    links = [_declared(bundle, link) for link in bundle.links.values()]
    found = standing.standing(view.site, view.now)
    return view.page(
        "links.html",
        active=active,
        external=sum(one.recipient.external for one in links),
        links=links,
        waiting={one.id: one for one in link_standing.links(found)},
    )


def one(view: View) -> Response:
    """Show one link, and element by element what its recipient would get of a made-up message."""
    active = _active(view)
    name = view.part("link")
    link = active.bundle.links.get(name) if active else None
    if active is None or link is None:
        raise InputError("link", "there is no such link in the policy in force", reason=Reason.NOT_FOUND)
    wire = view.asked("wire", known=WIRES) or ("fhir" if _only_fhir(link) else "hl7v2")
    said, label = view.asked("said", known=SAID), view.asked("label")
    tried = _tried(active.bundle, link, wire, said, label)
    return view.page(
        "link.html",
        active=active,
        answers=ANSWERS,
        counts=Counter(row.what for row in tried.rows),
        declared=_declared(active.bundle, link),
        label=label,
        labels=[rule.id for rule in active.bundle.labels.rules if not rule.device_kind],
        sample=tried,
        said=said,
        saids=SAID,
        wire=wire,
        wires=WIRES,
    )


def _active(view: View) -> Active | None:
    site = view.site
    with read(site.engine) as db:
        return load_active(db, site.site, site.authority, site.seen, current=view.asking.active)


def _only_fhir(link: Link) -> bool:
    return all(kind.startswith("FHIR^") for kind in link.sources.message_types)


def _tried(bundle: Bundle, link: Link, wire: str, said: str, label: str) -> Sample:
    rule = next((rule for rule in bundle.labels.rules if rule.id == label), None)
    story = (labelled(rule, Story()) if rule is not None else None) or Story()
    return sample(bundle, link, FHIR if wire == "fhir" else HL7V2, story, _consents(link, said, story))


def _consents(link: Link, said: str, story: Story) -> tuple[ConsentFact, ...]:
    """Give what the patient of the sample has said about this link."""
    purposes, recipients = frozenset({link.purpose.value}), frozenset({link.recipient})
    yes = ConsentFact("sample", True, purposes, recipients, _ALL)
    no = ConsentFact("sample", False, purposes, recipients, _ALL)
    measurements = ConsentFact("sample", False, purposes, recipients, frozenset({"observation.*"}))
    code = ConsentFact("sample", False, purposes, recipients, _ALL, codes=frozenset({story.code}))
    told: Mapping[str, tuple[ConsentFact, ...]] = {
        "yes": (yes,),
        "no": (no,),
        "measurements": (yes, measurements),
        "code": (yes, code),
    }
    return told.get(said, ())


def _declared(bundle: Bundle, link: Link) -> Declared:
    recipient = bundle.recipients[link.recipient]
    groups: dict[str, list[str]] = {}
    for cls in sorted(link.classes):
        group, _, kind = cls.partition(".")
        groups.setdefault(group, []).append(kind)
    leaves = recipient.wire or link.format
    return Declared(
        link,
        recipient,
        PURPOSES[link.purpose],
        link.legal_basis,
        _consent(link),
        "kept here, sealed" if link.recipient == KEEP else WIRES[leaves] if leaves else "as it came",
        tuple((group, tuple(kind for kind in kinds if kind)) for group, kinds in groups.items()),
        link.classes >= CLASSES - {"uncatalogued"},
    )


def _consent(link: Link) -> str:
    if not link.without_consent:
        return "only with the patient's consent"
    if link.objection == "honoured":
        return "without consent; an objection is honoured"
    return "without consent; the law is stronger than an objection"


PAGE = Page(
    "Links",
    (
        Route("/links", show, action="links.see"),
        Route("/links/{link}", one, action="links.see", thing=named("link", "link")),
    ),
    group="Decide",
    key="l",
    order=0,
)
