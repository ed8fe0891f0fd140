"""How deliveries on each link do: of what ``standing`` read, for the pages and cards that list links."""

from __future__ import annotations

from dataclasses import dataclass

from oathward.messages import views
from oathward.web.standing import Standing


@dataclass(frozen=True, slots=True)
class LinkStanding:
    """One link of the policy, and how its deliveries do."""

    id: str
    recipient: str
    purpose: str
    waiting: int
    set_aside: int
    withdrawn: int
    waits_us: int
    trouble: str

    @property
    def level(self) -> str:
        """``bad`` where somebody must act."""
        return "bad" if self.trouble or self.set_aside else "ok"


def links(found: Standing) -> list[LinkStanding]:
    """List the links by which anything leaves."""
    if found.active is None:
        return []
    bundle, rows = found.active.bundle, {one.link: one for one in found.waiting}
    said = found.parts.get("courier", {}).get("links") or {}
    none = views.Waiting("", {}, 0)
    return [
        LinkStanding(
            link.id,
            bundle.recipients[link.recipient].name,
            link.purpose.value,
            (row := rows.get(link.id, none)).states.get("pending", 0),
            sum(count for state, count in row.states.items() if state != "pending") - row.withdrawn,
            row.withdrawn,
            row.waits_us,
            str((said.get(link.id) or {}).get("trouble") or ""),
        )
        for link in bundle.links.values()
        if link is not bundle.keep
    ]
