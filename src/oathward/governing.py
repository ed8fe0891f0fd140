"""The register with what it does not own: the active bundle, the inventory's kinds and models, the counters of messages.

Rules:
- Contexts do not know each other; who shows the register asks here.

Deliberately absent: rules about any of it (``governance``).
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from oathward.activation import Active, load_active
from oathward.core.errors import InputError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.governance import quality, views
from oathward.governance.findings import Register
from oathward.governance.model import RegisterFinding
from oathward.governance.quality import QualityRow
from oathward.inventory import views as inventory
from oathward.messages import traffic
from oathward.people import views as people
from oathward.policy.access import AT_THE_MACHINE, Actor, Permitted, Rules, Thing, actor_of, decide
from oathward.policy.actions import ACTIONS
from oathward.vault.opened import Opened

OFFERED_MAX = 100
"""Of so many people who could own a finding a form offers each; of more, the first."""

MODELS_DEVICES_MAX = 5_000
"""Of so many devices all documents are read to say which models there are; of more, none."""


def register(
    db: Connection,
    site: Opened,
    *,
    current: Active | None = None,
    models: bool = False,
    everyone: bool = False,
    also: Iterable[str] = (),
) -> Register:
    """Read the register as it stands under the active bundle.

    Args:
        current: the bundle the caller has: compiling one takes longer than a page may.
        models: whether device models are looked at too. everyone: whether all persons are read, to choose among them.
        also: ids of persons who are read with those the register names.

    Raises:
        AuthorityError: the bundle is not believed.
    """
    active = load_active(db, site.site, site.authority, site.seen, current=current)
    makes = inventory.models(db, site.site, most=MODELS_DEVICES_MAX) if models else frozenset()
    return views.register(
        db, site, active.bundle if active else None, makes=makes, everyone=everyone, also=also
    )


def person_of(db: Connection, site: Opened, text: str, now_us: int, *, sees: bool) -> str:
    """Give the id of the person whom people name by id, staff number or address; what was written where there is nobody.

    Args:
        sees: whether who asks may see people; else only ids are people, and nobody learns whose an address is.
    """
    if not (text and sees):
        return text
    found = people.find(db, site.site, people.Reader(site.authority, site.seen, now_us), text)
    return found.person.id if found is not None else text


def somebody(db: Connection, site: Opened, text: str, now_us: int, *, sees: bool) -> str:
    """Give the id of the active person whom people name by id, staff number or address.

    Args:
        sees: as for ``person_of``.

    Raises:
        InputError: ``not-found``: there is nobody of that name, or they have left.
    """
    id_ = person_of(db, site, text.strip(), now_us, sees=sees)
    if not id_ or id_ not in views.living(db, site, [id_]):
        raise InputError("to", "nobody of that name is active here", reason=Reason.NOT_FOUND)
    return id_


def owner(
    db: Connection,
    site: Opened,
    text: str,
    now_us: int,
    *,
    sees: bool,
    action: str = "findings.see",
    current: Active | None = None,
) -> str:
    """Give the id of the active person something may be given to: one whose signed roles let them see it.

    Args:
        sees: as for ``person_of``. action: what the person must be able to do. current: the bundle the caller has.

    Raises:
        InputError: as ``somebody``; ``access.given-to``: no role of theirs lets them.
        AuthorityError: their record, their roles or the bundle are not believed.
    """
    id_ = somebody(db, site, text, now_us, sees=sees)
    person = views.some(db, site, [id_])[id_]
    grant = people.granted(db, site.site, people.Reader(site.authority, site.seen, now_us), id_)
    if not _permits(_rules(db, site, current), actor_of(person, grant, now_us), action):
        raise InputError(
            "to", "has no role that sees it; give it to somebody who has", reason=Reason.GIVEN_TO
        )
    return id_


def owners(
    db: Connection,
    site: Opened,
    now_us: int,
    *,
    action: str = "findings.see",
    current: Active | None = None,
) -> dict[str, str]:
    """Name the first people something could be given to, by name: id -> name. A hint for forms; ``owner`` decides."""
    rules = _rules(db, site, current)
    roles = [role for role in Role if _permits(rules, Actor("person", "", frozenset({role})), action)]
    return people.holders(db, site.site, roles, now_us, limit=OFFERED_MAX)


def _rules(db: Connection, site: Opened, current: Active | None) -> Rules:
    active = load_active(db, site.site, site.authority, site.seen, current=current)
    return Rules.of(active.bundle if active else None)


def _permits(rules: Rules, actor: Actor, action: str) -> bool:
    """Say whether it is permitted with the best proof somebody could give: how they sign in is not asked here."""
    answer = decide(rules, actor, action, Thing(ACTIONS[action].thing), AT_THE_MACHINE)
    return isinstance(answer, Permitted)


def findings(
    db: Connection, site: Opened, now_us: int, *, current: Active | None = None
) -> list[RegisterFinding]:
    """Find what somebody should look at in the register, serious first.

    Args:
        current: the bundle the caller has.

    Raises:
        AuthorityError: the bundle is not believed.
    """
    active = load_active(db, site.site, site.authority, site.seen, current=current)
    return views.findings(db, site, now_us, bundle=active.bundle if active else None)


def traffic_quality(
    db: Connection, site: str, since_us: int, until_us: int
) -> tuple[list[QualityRow], list[QualityRow]]:
    """Sum the counters of messages up: by day and kind of device, and by day and link."""
    counts = [
        (row.day_us, row.kind, row.link, tuple(row.counts))
        for row in traffic.by_day(db, site, since_us, until_us)
    ]
    return quality.by_kind(counts), quality.by_link(counts)
