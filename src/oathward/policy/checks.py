"""What only the whole bundle shows: names that must exist, protection, agreements, dates.

Each check takes the parts with the sections they came from and notes what is wrong at the key that
must change, with what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from oathward.core.errors import PolicyError
from oathward.core.labels import OBSERVATION_CLASSES
from oathward.policy.model import (
    IDENTITY_CLASSES,
    KEEP,
    PROTECTION,
    TRANSPORT_CLASSES,
    Link,
    ProfileView,
    Project,
    Recipient,
    outgoing_wire,
)
from oathward.policy.protection import Protection
from oathward.policy.reading import Section, near

_CONSENT_GROUND = re.compile(r"\b164\.508\b|\b6\(1\)\(a\)|\b9\(2\)\(a\)")
_OTHER_GROUND = re.compile(r"\b164\.5\d\d\b|\b6\(1\)\([b-f]\)|\b9\(2\)\([b-j]\)")


class Stated(NamedTuple):
    """A recipient or a link, with where it was written."""

    recipients: Sequence[tuple[Recipient, Section]]
    links: Sequence[tuple[Link, Section]]


def duplicates(stated: Stated) -> None:
    """Note ids that two files use, and a second ``keep`` link."""
    for kind, rows in (("recipient", stated.recipients), ("link", stated.links)):
        seen: dict[str, str] = {}
        for part, section in rows:
            place = section.document.at(("id",))
            if part.id and part.id in seen:
                section.note("id", f"{kind} `{part.id}` stands already at {seen[part.id]}; choose another id")
            seen.setdefault(part.id, place)
    keeps = [section for link, section in stated.links if link.recipient == KEEP]
    for section in keeps[1:]:
        section.note("recipient", f"only one link may keep; {keeps[0].document.path} does already")


def names(
    stated: Stated, zones: Collection[str], projects: Mapping[str, Project], profiles: Collection[str]
) -> None:
    """Note zones, recipients, projects and profiles that nobody declared."""
    for recipient, section in stated.recipients:
        if zones and recipient.zone and recipient.zone not in zones:
            section.note(
                "zone", f"zone `{recipient.zone}` is not in protection.toml; {near(recipient.zone, zones)}"
            )
    known = {recipient.id for recipient, _ in stated.recipients} | {KEEP}
    for link, section in stated.links:
        if link.recipient and link.recipient not in known:
            section.note("recipient", f"no recipient `{link.recipient}`; {near(link.recipient, known)}")
        if link.profile and link.profile not in profiles:
            section.note("profile", f"no profile `{link.profile}`; {near(link.profile, profiles)}")
        if link.project and link.project not in projects:
            section.note(
                "project", f"no project `{link.project}` in projects.toml; {near(link.project, projects)}"
            )


def grounds(stated: Stated) -> None:
    """Note links whose ground is missing or contradicts itself."""
    external = {recipient.id for recipient, _ in stated.recipients if recipient.external}
    for link, section in stated.links:
        if link.recipient in external and not link.agreement:
            section.note(
                "recipient",
                f'`{link.recipient}` is external: name the agreement, as in agreement = "DUA-2026-014"',
            )
        if link.objection == "overruled" and not link.without_consent:
            section.note(
                "objection", 'a link that needs consent honours denials; write objection = "honoured"'
            )
        if link.indeterminate == "care-team" and (not link.for_care or link.recipient in external):
            section.note(
                "indeterminate", 'only care links inside this site may; write indeterminate = "hold"'
            )
        if link.without_consent and _rests_on_consent(link.legal_basis):
            section.note(
                "without_consent",
                "the legal basis is the patient's consent; write without_consent = false, or name the ground that holds "
                "without it",
            )
        if link.recipient == KEEP and not link.retention_days:
            section.note("recipient", "what is kept needs an end; write retention_days = 30")
        start, end = link.valid_from_us, link.valid_until_us
        if start is not None and end is not None and start >= end:
            section.note("valid_until", "ends before it begins; write a date after `valid_from`")


def _rests_on_consent(basis: str) -> bool:
    """Whether consent is all that a legal basis names: GDPR Art. 6(1)(a), 9(2)(a); HIPAA 45 CFR 164.508."""
    rest, count = _CONSENT_GROUND.subn("", basis)
    return bool(count) and not _OTHER_GROUND.search(rest)


def shapes(
    stated: Stated, projects: Mapping[str, Project], profiles: Mapping[str, ProfileView | None]
) -> None:
    """Note links whose profile, project and classes do not go together."""
    for link, section in stated.links:
        project, view = projects.get(link.project), profiles.get(link.profile)
        if (project is not None and project.date_shift) or (view is not None and view.shifts_dates):
            key = "project" if project is not None and project.date_shift else "profile"
            section.note(
                key,
                f"{key} `{getattr(link, key)}` shifts dates, and this link is live: the time of arrival gives the "
                f"shift away; use a {key} that does not (date_shift = false)",
            )
        some = OBSERVATION_CLASSES & link.classes
        if some and some != OBSERVATION_CLASSES:
            section.note(
                "classes", 'an observation passes whole or not at all; write "observation.*" or none of it'
            )
        if view is not None and link.recipient != KEEP:
            _profile(link, section, view)


def formats(stated: Stated) -> None:
    """Note links that ask for, or take, what their recipient's protocol cannot carry."""
    recipients = {recipient.id: recipient for recipient, _ in stated.recipients}
    for link, section in stated.links:
        recipient = recipients.get(link.recipient)
        if recipient is None:
            for key in ("format", "mentioned", "provenance", "shared_ids"):
                if section.has(key):
                    section.note(key, "what is kept stays as it came; remove this line")
            continue
        if section.has("mentioned") and outgoing_wire(link, recipient, "hl7v2") != "fhir":
            section.note("mentioned", f"HL7 v2 does not leave as FHIR on link `{link.id}`; remove this line")
        if section.has("provenance") and recipient.kind != "fhir":
            section.note(
                "provenance", "only a FHIR server is told with each write how it was made; remove this line"
            )
        if link.shared_ids and (
            outgoing_wire(link, recipient, "fhir") != "fhir" or not link.carries_identity
        ):
            why = "only a recipient of FHIR that is told who it is knows ids of its own; remove this line"
            section.note("shared_ids", why)
        if link.format and recipient.wire not in (None, link.format):
            section.note(
                "format", f"`{recipient.id}` speaks {recipient.wire}; remove this line, or change its address"
            )
        wire = outgoing_wire(link, recipient, "fhir")
        if wire != "fhir" and any(kind.startswith("FHIR^") for kind in link.sources.message_types):
            section.note(
                "sources", f"FHIR is not written as HL7 v2 for `{recipient.id}`; name no FHIR^ message types"
            )


def notices(stated: Stated, profiles: Mapping[str, ProfileView | None]) -> None:
    """Note recipients that are to be told of withdrawals and could not tell of whom: no link shows them any patient."""
    for recipient, section in stated.recipients:
        links = [link for link, _ in stated.links if link.recipient == recipient.id]
        if recipient.withdrawal_notice and not any(_names_patient(link, profiles) for link in links):
            section.note(
                "withdrawal_notice",
                f"no link to `{recipient.id}` shows whom a message is about (patient.identifier), so that no notice could "
                "name anybody; remove this line",
            )


def _names_patient(link: Link, profiles: Mapping[str, ProfileView | None]) -> bool:
    view = profiles.get(link.profile)
    return "patient.identifier" in link.classes and (view is None or "patient.identifier" in view.passes)


def _profile(link: Link, section: Section, view: ProfileView) -> None:
    """Note what a link says of its profile and the profile does not do."""
    who = view.keeps & link.classes & IDENTITY_CLASSES
    if who and not link.carries_identity:
        section.note(
            "profile",
            f"profile `{link.profile}` keeps {_some(who)}, and so identity; write carries_identity = true, or "
            "another profile",
        )
    if link.carries_identity and not who:
        section.note(
            "carries_identity",
            f"profile `{link.profile}` keeps nothing that says who it is; write carries_identity = false",
        )
    if view.keyed & link.classes and not link.project:
        section.note(
            "profile",
            f'profile `{link.profile}` makes keyed names of {_some(view.keyed & link.classes)}: write project = "…"',
        )
    if not (view.passes & link.classes) - TRANSPORT_CLASSES:
        section.note("profile", f"profile `{link.profile}` removes every class of this link; choose another")


def _some(classes: frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(classes)[:3]) + (", …" if len(classes) > 3 else "")


def protections(stated: Stated, protection: Protection, errors: list[PolicyError]) -> None:
    """Note links below their minimum, and classes for which the table says nothing."""
    recipients = {recipient.id: (recipient, section) for recipient, section in stated.recipients}
    uncovered: dict[tuple[str, str], set[str]] = {}
    for link, section in stated.links:
        if link.recipient not in recipients or link.recipient == KEEP:
            continue
        recipient, theirs = recipients[link.recipient]
        if recipient.zone not in protection.zones:
            continue
        needed, rule, missing = protection.minimum(link, recipient)
        if missing:
            way = protection.crossing(recipient), protection.zones[recipient.zone]
            uncovered.setdefault(way, set()).update(missing)
        if PROTECTION.index(recipient.protection) >= PROTECTION.index(needed):
            continue
        why = rule.where if rule else section.document.at(("min_protection",))
        if theirs.has("public_key") and recipient.public_key is None:
            continue  # the key itself is wrong, and already noted
        if recipient.kind in ("mllps", "fhir") and recipient.tls is None:
            continue  # the same
        if needed == "mtls+e2e" and recipient.public_key is None:
            theirs.note(
                "", f"link `{link.id}` needs {needed} ({why}): write public_key = the recipient's X25519 key"
            )
        else:
            theirs.note(
                "address",
                f"gives {recipient.protection}, link `{link.id}` needs {needed} ({why}): {_raise(recipient)}",
            )
    for (crossing, exposure), classes in sorted(uncovered.items()):
        errors.append(
            PolicyError(
                "protection.toml",
                f"no rule for {_some(classes)} (crossing {crossing}, exposure {exposure}); write a [[rules]] that covers them",
            )
        )


def _raise(recipient: Recipient) -> str:
    if recipient.kind == "mllp":
        return "write mllps:// and a table [tls] with ca, certificate and key"
    if recipient.kind in ("mllps", "fhir"):
        return "write certificate and key under [tls]"
    return "write public_key = the recipient's X25519 key"
