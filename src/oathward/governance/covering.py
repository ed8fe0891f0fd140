"""Say what an agreement does not cover, and why an assessment does not stand. Pure.

Rules:
- The envelope of a message (``TRANSPORT_CLASSES``) belongs to nobody and needs no agreement.
- What an agreement does not name it does not cover; ``*`` in its classes is written out, and a word that names no class
  covers nothing.
- Every lack is said at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from oathward.core.clock import from_micros
from oathward.core.labels import expand
from oathward.governance.model import Acceptability, AgreementRow, AssessmentRow, ConnectionRow, PartyRole
from oathward.policy.model import TRANSPORT_CLASSES, Link, Recipient

_SHOWN_MAX = 6


def covers(agreement: AgreementRow, link: Link, recipient: Recipient, now_us: int) -> tuple[str, ...]:
    """Say in words what of a link an agreement does not cover; nothing where it covers all."""
    said = list(in_force(agreement, now_us))
    if link.purpose not in agreement.purposes:
        said.append(f"does not permit purpose {link.purpose}; it permits {_listed(agreement.purposes)}")
    if recipient.id not in agreement.destinations:
        said.append(f"does not name the destination {recipient.id}")
    if recipient.party != agreement.party and recipient.party not in agreement.sub_recipients:
        said.append(f"is with {agreement.party}, and {recipient.id} is {recipient.party or 'nobody known'}'s")
    missing = link.classes - TRANSPORT_CLASSES - classes_of(agreement)
    if missing:
        said.append(f"does not cover {_listed(missing)}")
    return tuple(said)


def in_force(agreement: AgreementRow, now_us: int) -> tuple[str, ...]:
    """Say in words why an agreement is not in force now; nothing where it is."""
    if agreement.ended_us and agreement.ended_us <= now_us:
        return (f"was ended on {day(agreement.ended_us)}",)
    if now_us < agreement.from_us:
        return (f"begins on {day(agreement.from_us)}",)
    if agreement.until_us is not None and agreement.until_us <= now_us:
        return (f"ended on {day(agreement.until_us)}",)
    return ()


def standing(connection: ConnectionRow, now_us: int) -> bool:
    """Say whether an external connection may be used now, by its own dates."""
    over = connection.ended_us or connection.until_us
    return connection.from_us <= now_us and (not over or now_us < over)


def lacks(connection: ConnectionRow, agreement: AgreementRow | None, now_us: int) -> tuple[str, ...]:
    """Say in words what an external connection lacks of an agreement; nothing where it rests on one in force."""
    if connection.role is PartyRole.NO_PERSONAL_DATA and not connection.agreement:
        return ()
    if not connection.agreement:
        return ("names no agreement",)
    if agreement is None:
        return (f"names {connection.agreement}, which is not in the register",)
    said = [f"{agreement.id} {words}" for words in in_force(agreement, now_us)]
    if connection.party != agreement.party and connection.party not in agreement.sub_recipients:
        said.append(f"{agreement.id} is with {agreement.party}, and does not name {connection.party}")
    return tuple(said)


def stands(assessment: AssessmentRow, now_us: int, about_digest: str = "") -> tuple[str, ...]:
    """Say in words why an assessment does not stand for a thing as it is; nothing where it does.

    Args:
        about_digest: of the thing as it is (``derive.digest_of``); empty where it has none.
    """
    said = []
    if not assessment.approver:
        said.append("is not approved")
    if assessment.outcome is Acceptability.NOT_ACCEPTABLE:
        said.append("says that it is not acceptable")
    if assessment.valid_until_us <= now_us:
        said.append(f"was valid until {day(assessment.valid_until_us)}")
    if assessment.reopened_us:
        said.append(f"was reopened on {day(assessment.reopened_us)}")
    if about_digest and about_digest != assessment.about_digest:
        said.append("is about what it was before it changed")
    return tuple(said)


def classes_of(agreement: AgreementRow) -> frozenset[str]:
    """Write out the classes of an agreement."""
    found: frozenset[str] = frozenset()
    for pattern in agreement.classes:
        try:
            found |= expand([pattern])
        except KeyError:
            continue
    return found


def day(at_us: int) -> str:
    """Write the day of a time, UTC."""
    return f"{from_micros(at_us):%Y-%m-%d}"


def _listed(words: Iterable[str]) -> str:
    rows = sorted(words)
    more = f" and {len(rows) - _SHOWN_MAX} more" if len(rows) > _SHOWN_MAX else ""
    return (", ".join(rows[:_SHOWN_MAX]) or "nothing") + more
