"""What a copy is made of besides what devices told: devices, consents, who looked; read once, in one short read.

Rules:
- Of this one subject alone, the newest ``OPENINGS_MAX`` openings.
- A device's name and kind are believed with its signature; one that does not verify is named by nothing.
- Who opened is named as the site's register of people has it, and by nothing where the site names no staff to patients; a
  holder is a holder.
- What the patient allows is the patient's: a copy for who stands in for them does not read it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward.accesses import views as accesses
from oathward.consent.views import facts_of
from oathward.core.db import read
from oathward.core.errors import AuthorityError
from oathward.inventory import views as inventory
from oathward.people import views as people

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oathward.accesses.model import Opening
    from oathward.consent.model import Statement
    from oathward.inventory.model import Device
    from oathward.vault.opened import Opened

OPENINGS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Looked:
    """One opening of the patient's data; ``name`` of whoever opened, empty for a holder or one who is not known any more."""

    opening: Opening
    name: str


@dataclass(frozen=True, slots=True)
class Around:
    """What stands beside the values. ``said`` None: what the patient allows cannot be read now, or is not for who asked."""

    said: tuple[Statement, ...] | None
    looked: tuple[Looked, ...]


def around(site: Opened, subject: str, *, own: bool) -> Around:
    """Read what the patient allows, where it is the patient who asks (``own``), and who opened their data."""
    said = None
    with read(site.engine) as db:
        if own:
            with suppress(AuthorityError):
                _, said = facts_of(db, site.site, subject, site.authority, site.seen)
        found = accesses.openings(db, site.site, subject=subject, limit=OPENINGS_MAX)
        named = site.settings.portal.staff_names
        names = people.names(db, site.site, {one.person for one in found}) if named else {}
    opened = [one for one in found if one.kind == "keeper.opened"]
    return Around(said, tuple(Looked(one, names.get(one.person, "")) for one in opened))


def devices(site: Opened, ids: Iterable[str]) -> dict[str, Device]:
    """Read some devices by id, each with a signature that verifies."""
    with read(site.engine) as db:
        found = [inventory.one(db, site.site, id_, site.authority, site.seen) for id_ in sorted(ids)]
    return {one.device.id: one.device for one in found if one is not None and one.signed == "yes"}
