"""What ``oathward consent`` shares: whose statements they are, and storing them.

Rules:
- What somebody else said between draft and store, a patient at the portal above all, is not written over: it is drafted again
  upon that. What is to replace everything replaces nothing that nobody saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from oathward.cli.asking import now_us, recorded_as, sign_and_store
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.consent.model import Statement
    from oathward.core.settings import Settings
    from oathward.patients.identifiers import Hasher, Identifier
    from oathward.policy.bundle import Bundle
    from oathward.vault.authority import Document
    from oathward.vault.opened import Opened

TURNS_MAX = 5
"""So often something is drafted again because others were quicker."""


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
    by = recorded_as(site, person)
    for start in range(0, len(identifiers), 200):
        with write(site.engine) as db:
            some = identifiers[start : start + 200]
            found += actions.register(db, site.site, hasher, some, by=by, now_us=now_us(site))
    return found


def store(
    site: Opened,
    said: Mapping[str, Sequence[Statement]],
    person: str,
    *,
    replaces: bool,
) -> int:
    """Draft, have signed and store what each subject says; gives how many documents changed.

    Raises:
        InputError: ``conflict``: somebody else said something of them meanwhile, and this is to replace all, or it was so again
            and again.
    """
    stored: set[str] = set()
    for turn in range(1, TURNS_MAX + 1):
        try:
            _store_once(site, said, person, stored, replaces=replaces)
            break
        except InputError as error:
            if error.reason is not Reason.CONFLICT or replaces or turn == TURNS_MAX:
                raise
    return len(stored)


def _store_once(
    site: Opened, said: Mapping[str, Sequence[Statement]], person: str, stored: set[str], *, replaces: bool
) -> None:
    """Do it upon what stands now; notes whose was stored."""
    from oathward.consent import actions
    from oathward.core.db import read

    drafts, after = [], {}
    with read(site.engine) as db:
        for subject, statements in said.items():
            after[subject] = actions.version_of(db, site.site, subject)
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

    by = recorded_as(site, person) if drafts else person

    def keep(db: Connection, signed: Sequence[Document]) -> None:
        actions.store(db, site.site, signed, by=by, now_us=now_us(site), after=after)
        stored.update(one.id for one in signed)

    sign_and_store(site, drafts, person, keep, "consents")
