"""What ``oathward consent`` shares: whose statements they are, and storing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from oathward.cli.asking import now_us, sign_and_store
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.consent.model import Statement
    from oathward.core.settings import Settings
    from oathward.patients.identifiers import Hasher, Identifier
    from oathward.policy.bundle import Bundle
    from oathward.vault.opened import Opened


def check_subject(site: Opened, subject: str) -> None:
    """Refuse a subject id that nobody has: a denial of a typo would deny nothing.

    Raises:
        InputError: ``not-found``, or no subject id at all.
    """
    from oathward.consent import model
    from oathward.core.db import read
    from oathward.patients import views

    model.check_subject(subject)
    with read(site.engine) as db:
        if not views.exists(db, site.site, subject):
            raise InputError("--subject", "no such subject", reason=Reason.NOT_FOUND)


def bundle_in_force(settings: Settings) -> Bundle | None:
    """Give the active bundle; None where there is none, or none that verifies."""
    from oathward import activation
    from oathward.core.db import connect, read
    from oathward.core.errors import AuthorityError
    from oathward.vault.authority import Seen, trust_anchor

    engine = connect(settings.database_url)
    try:
        with read(engine) as db:
            active = activation.load_active(db, settings.site.name, trust_anchor(settings), Seen())
    except AuthorityError:  # `oathward doctor` says so; what a patient says can be recorded all the same
        return None
    finally:
        engine.dispose()
    return active.bundle if active else None


def check_recipients(settings: Settings, said: Statement) -> None:
    """Refuse a recipient that the policy in force does not have: a denial of a typo would deny nothing.

    Raises:
        InputError: says which one was probably meant.
    """
    from oathward.policy.house import HOUSE
    from oathward.policy.model import ANY
    from oathward.policy.reading import near

    bundle = bundle_in_force(settings)
    if bundle is None:
        return
    known = {HOUSE, *bundle.recipients, *(link.recipient for link in bundle.links.values())}
    for one in sorted(said.fact.recipients - {ANY} - known):
        raise InputError("--recipient", f"the policy in force has no `{one}`; {near(one, known)}")


def subjects_of(site: Opened, hasher: Hasher, identifiers: Sequence[Identifier], person: str) -> list[str]:
    """Find the subject of each identifier, or make a provisional one."""
    from oathward.core.db import write
    from oathward.patients import actions

    found: list[str] = []
    for start in range(0, len(identifiers), 200):
        with write(site.engine) as db:
            some = identifiers[start : start + 200]
            found += actions.register(db, site.site, hasher, some, by=person, now_us=now_us(site))
    return found


def store(
    site: Opened,
    said: Mapping[str, Sequence[Statement]],
    person: str,
    *,
    replaces: bool,
) -> int:
    """Draft, have signed and store what each subject says; gives how many documents changed."""
    from oathward.consent import actions
    from oathward.core.db import read

    drafts = []
    with read(site.engine) as db:
        for subject, statements in said.items():
            one = actions.draft(
                db,
                site.site,
                subject,
                statements,
                authority=site.authority,
                seen=site.seen,
                replaces=replaces,
            )
            if one is not None:
                drafts.append(one)
    sign_and_store(
        site,
        drafts,
        person,
        lambda db, signed: actions.store(db, site.site, signed, by=person, now_us=now_us(site)),
        "consents",
    )
    return len(drafts)
