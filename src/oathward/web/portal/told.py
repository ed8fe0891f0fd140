"""Which records a patient is told of, and by which sentence: one table.

Rules:
- A kind has one sentence or several; of several the first whose ``only`` the record's body has is said.
- A sentence's parameters are who (``who``: the field of the body that names them), words for a code (``words``: parameter ->
  field and table), a field as it stands (``plain``), and a number (``count``). A code that no table knows is said as *another reason*.
- Nothing is copied anywhere: a notice is its record, and stands and goes with it.
- What the patient reported, and which copies they took, who stands in for them is not told (``aside``): the report may be
  about that very person.

Deliberately absent: openings (*Who looked and why* has them all), and messages that went out (*Who can see my data*).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from oathward.web.portal.naming import names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oathward.ledger import Entry
    from oathward.web.portal.view import View

GLASS = MappingProxyType(
    {
        "life-threat": "glass.life_threat",
        "deteriorating": "glass.deteriorating",
        "cannot-say": "glass.cannot_say",
        "handover": "glass.handover",
        "patient-asks": "glass.patient_asks",
        "other": "glass.other",
    }
)
"""Why a glass was broken (``policy.glass.REASONS``), as a patient reads it."""

BASES = MappingProxyType(
    {
        "self": "bases.self",
        "parent": "bases.parent",
        "guardian": "bases.guardian",
        "attorney": "bases.attorney",
        "wish": "bases.wish",
    }
)
"""Why somebody has access (``policy.portal.BASES``)."""

WHOSE = MappingProxyType(
    {
        "incidental-finding": "whose.finding",
        "safety": "whose.safety",
        "patient-asks": "whose.patient_asks",
        "wrong-data": "whose.wrong_data",
        "law": "whose.law",
        "other": "whose.other",
    }
)
"""Why somebody was shown whose a pseudonym is (``policy.reidentify.REASONS``)."""

OTHER = "glass.other"


@dataclass(frozen=True, slots=True)
class Told:
    """One sentence.

    Args:
        proof: the record may be handed out, which holds nothing but what the sentence says.
        aside: for the patient, and for whoever did it, alone.
    """

    text: str
    who: str = ""
    words: Mapping[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)
    plain: Mapping[str, str] = field(default_factory=dict)
    count: str = ""
    only: Mapping[str, Any] = field(default_factory=dict)
    proof: bool = True
    aside: bool = False

    def fits(self, entry: Entry) -> bool:
        """Whether it is the one for a record."""
        return all(entry.body.get(name) == value for name, value in self.only.items())

    def may(self, view: View, entry: Entry) -> bool:
        """Whether it is for who is signed in."""
        own = view.seat is not None and view.seat.own
        mine = view.holder is not None and entry.body.get("person") == view.holder.holder
        return own or mine or not self.aside


TOLD: Mapping[str, tuple[Told, ...]] = {
    "breakglass.begun": (
        Told("notices.reached", who="person", words={"why": ("code", GLASS)}, only={"reached": True}),
        Told("notices.glass", who="person", words={"why": ("code", GLASS)}),
    ),
    "breakglass.ended": (Told("notices.glass_over", who="person", count="openings"),),
    "breakglass.reviewed": (  # the record has the reviewer's words, which were said to staff
        Told("notices.glass_right", who="person", only={"outcome": "justified"}, proof=False),
        Told("notices.glass_wrong", who="person", proof=False),
    ),
    "consent.recorded": (Told("notices.chosen", who="by"),),
    "copy.read": (Told("notices.copy", plain={"name": "reader"}),),
    "disclosure.reported": (
        Told("notices.mixed_up_away", only={"as": "other"}),
        Told("notices.mixed_up_here"),
    ),
    "merge.confirmed": (Told("notices.merged", proof=False),),
    "portal.access-ended": (Told("notices.access_over"),),
    "portal.access-hidden": (Told("notices.access_hidden"),),
    "portal.fetched": (Told("notices.fetched", who="person", aside=True),),
    "portal.report-settled": (Told("notices.report_done", aside=True),),
    "portal.reported": (Told("notices.reported", who="person", aside=True),),
    "reidentify.shown": (Told("notices.whose", who="person", words={"why": ("code", WHOSE)}),),
    "upload.seen": (Told("notices.upload", proof=False),),  # evidence is in the words of whoever saw it
    "portal.invited": (Told("notices.invited", words={"why": ("basis", BASES)}),),
}
"""Kind of record -> what is said of it."""

SAYS = tuple(
    sorted(
        {one.text for some in TOLD.values() for one in some}
        | {*GLASS.values(), *BASES.values(), *WHOSE.values()}
    )
)


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that a patient is told."""

    index: int
    at_us: int
    words: str
    proof: bool


def told_of(view: View, entry: Entry) -> Told | None:
    """Choose the sentence for a record; None where nothing is said of it to who is signed in."""
    found = next((one for one in TOLD.get(entry.kind, ()) if one.fits(entry)), None)
    return found if found is not None and found.may(view, entry) else None


def notices(view: View, entries: Sequence[Entry]) -> Iterator[Notice]:
    """Say records, in their order."""
    found = [(entry, told) for entry in entries if (told := told_of(view, entry)) is not None]
    known = names(view, (str(entry.body.get(told.who, "")) for entry, told in found if told.who))
    for entry, told in found:
        given: dict[str, object] = {}
        if told.who:
            given["who"] = known[str(entry.body.get(told.who, ""))]
        for name, (place, table) in told.words.items():
            given[name] = view.say(table.get(str(entry.body.get(place, "")), OTHER))
        for name, place in told.plain.items():
            given[name] = str(entry.body.get(place, ""))
        if told.count:
            given["count"] = int(entry.body.get(told.count, 0))
        yield Notice(entry.index, entry.at_us, view.say(told.text, **given), told.proof)
