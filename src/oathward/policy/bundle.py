"""A bundle: everything a site declares, checked as a whole and compiled.

Rules:
- ``load`` looks at everything and raises once, with every mistake: file, line, what to write instead.
- Nothing is used of a bundle that has one mistake.
- ``digest`` names the bundle: SHA-256 of its canonical form, whatever order or platform it came from.

Deliberately absent: file access, and activation (``oathward.activation`` signs and stores).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from oathward.core.errors import PolicyError
from oathward.policy import access, cedar, checks, parts, statements
from oathward.policy.cases import Case, read_cases
from oathward.policy.errors import PolicyErrors
from oathward.policy.files import canonical, normalise, unpack
from oathward.policy.labels import LabelTable
from oathward.policy.memo import Memo
from oathward.policy.model import (
    KEEP,
    Decision,
    Link,
    ProfileView,
    Project,
    Recipient,
    Wire,
    outgoing_wire,
)
from oathward.policy.people_cases import PeopleCase, read_people_cases
from oathward.policy.protection import Protection
from oathward.policy.reading import Document, Section, near
from oathward.policy.statements import Statement

__all__ = ["BUILTIN_PROFILES", "Bundle", "PolicyErrors", "canonical", "load", "unpack"]

BUILTIN_PROFILES: Mapping[str, ProfileView | None] = dict.fromkeys(
    ("treatment", "limited-data-set", "safe-harbor", "device-telemetry")
)
"""Their names; what they do is ``deid``'s to say and comes in through ``load``."""

KEEP_RECIPIENT = Recipient(KEEP, "What Oathward keeps", "keep", "", party="this site")
_REQUIRED = ("bundle.toml", "protection.toml")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Bundle:
    """A checked and compiled bundle. ``profiles``: name → TOML text of the site's own profiles."""

    name: str
    description: str
    digest: bytes
    body: bytes = field(repr=False)
    recipients: Mapping[str, Recipient] = field(repr=False)
    links: Mapping[str, Link] = field(repr=False)
    projects: Mapping[str, Project] = field(repr=False)
    protection: Protection = field(repr=False)
    labels: LabelTable = field(repr=False)
    profiles: Mapping[str, str] = field(repr=False)
    cases: tuple[Case, ...] = field(repr=False)
    policies: tuple[Statement, ...] = field(repr=False)
    people: tuple[Statement, ...] = field(repr=False)
    people_cases: tuple[PeopleCase, ...] = field(repr=False)
    cuts: Mapping[str, cedar.Cut] = field(repr=False)
    answers: Memo[tuple[str, bytes], tuple[int, int, Decision]] = field(
        default_factory=Memo, repr=False, compare=False
    )
    verdicts: Memo[tuple[str, str, str], cedar.Verdict] = field(
        default_factory=Memo, repr=False, compare=False
    )
    _carriers: dict[Wire, tuple[Link, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def carriers(self, wire: Wire) -> tuple[Link, ...]:
        """List the links that can carry what came by a protocol: FHIR is not written as HL7 v2."""
        found = self._carriers.get(wire)
        if found is None:
            able = (link for link in self.links.values() if self._carries(link, wire))
            found = self._carriers[wire] = tuple(able)
        return found

    def _carries(self, link: Link, wire: Wire) -> bool:
        return outgoing_wire(link, self.recipients[link.recipient], wire) in {wire, "fhir"}

    def merges_apart(self, link: Link) -> bool:
        """Say whether a merge changes nobody's pseudonym on a link: its project's word; without one there is none to change."""
        project = self.projects.get(link.project)
        return project is not None and project.merges == "apart"

    @property
    def keep(self) -> Link | None:
        """The link for what Oathward keeps; without it no original is kept."""
        return next((link for link in self.links.values() if link.recipient == KEEP), None)


def load(
    files: Mapping[str, bytes],
    *,
    profiles: Mapping[str, ProfileView | None] = BUILTIN_PROFILES,
    read_profile: Callable[[str, str], ProfileView] | None = None,
) -> Bundle:
    """Check a bundle as a whole and compile it.

    Args:
        files: path (``links/ehr.toml``) → content.
        profiles: the built-in de-identification profiles; ``None`` where only the name is known.
        read_profile: (name, TOML text) → what a profile of the site does; raises ``PolicyError``.

    Raises:
        PolicyErrors: everything that is wrong, in file and line order.
    """
    clean = normalise(files)
    errors: list[PolicyError] = []
    errors.extend(
        PolicyError(path, "missing; every bundle has it") for path in _REQUIRED if path not in clean
    )
    name, description = _one(clean, "bundle.toml", parts.about, ("", ""), errors)
    protection = _one(clean, "protection.toml", parts.protection, Protection(), errors)
    projects = _one(clean, "projects.toml", parts.projects, dict[str, Project](), errors)
    stated = checks.Stated(
        _many(clean, "recipients/", parts.recipient, errors), _many(clean, "links/", parts.link, errors)
    )
    own, views = _profiles(clean, profiles, read_profile, errors)
    recipients = {recipient.id: recipient for recipient, _ in stated.recipients} | {KEEP: KEEP_RECIPIENT}
    links = {link.id: link for link, _ in sorted(stated.links, key=lambda row: row[0].id)}
    if not links:
        errors.append(PolicyError("links", "no link is declared; write links/NAME.toml"))
    checks.duplicates(stated)
    checks.names(stated, protection.zones, projects, views)
    checks.grounds(stated)
    checks.shapes(stated, projects, views)
    checks.formats(stated)
    checks.notices(stated, views)
    checks.protections(stated, protection, errors)
    labels = _one(clean, "labels.toml", parts.labels, LabelTable(), errors)
    policies, cuts = _policies(clean, recipients, stated, errors)
    cases = _cases(clean, links, errors)
    theirs = {path: content for path, content in clean.items() if path.startswith("people/")}
    people, people_cases = access.read_people(theirs, errors), _people_cases(theirs, errors)
    if errors:
        raise PolicyErrors(errors)
    body = canonical(clean)
    return Bundle(
        name=name,
        description=description,
        digest=hashlib.sha256(body).digest(),
        body=body,
        recipients=recipients,
        links=links,
        projects=projects,
        protection=protection,
        labels=labels,
        profiles=own,
        cases=cases,
        policies=policies,
        people=people,
        people_cases=people_cases,
        cuts=cuts,
    )


def _open(files: Mapping[str, bytes], path: str, errors: list[PolicyError]) -> Document | None:
    try:
        found = Document(path, files[path])
    except PolicyError as error:
        errors.append(error)
        return None
    errors += found.unseen()
    return found


def _one(
    files: Mapping[str, bytes],
    path: str,
    read: Callable[[Section], _T],
    absent: _T,
    errors: list[PolicyError],
) -> _T:
    document = _open(files, path, errors) if path in files else None
    return absent if document is None else read(Section(document, document.table, errors))


def _many(
    files: Mapping[str, bytes], folder: str, read: Callable[[Section], _T], errors: list[PolicyError]
) -> list[tuple[_T, Section]]:
    found = []
    for path in files:
        document = _open(files, path, errors) if path.startswith(folder) else None
        if document is not None:
            section = Section(document, document.table, errors)
            found.append((read(section), section))
    return found


def _profiles(
    files: Mapping[str, bytes],
    builtin: Mapping[str, ProfileView | None],
    read: Callable[[str, str], ProfileView] | None,
    errors: list[PolicyError],
) -> tuple[dict[str, str], dict[str, ProfileView | None]]:
    """Take the site's own profiles as text, with what they do; ``deid`` owns what stands in them."""
    found: dict[str, str] = {}
    views = dict(builtin)
    for path in files:
        document = _open(files, path, errors) if path.startswith("profiles/") else None
        if document is None:
            continue
        name = path.removeprefix("profiles/").removesuffix(".toml")
        if name in builtin:
            errors.append(PolicyError(path, f"`{name}` is built in; give your own profile another file name"))
            continue
        found[name], views[name] = document.text, None
        try:
            views[name] = read(name, document.text) if read else None
        except PolicyError as error:
            errors.append(PolicyError(_place(document, error.where), error.why))
    return found, views


def _place(document: Document, where: str) -> str:
    """Find the line of a place that names a key: the first that holds its last known word."""
    rows = document.text.split("\n")
    for word in reversed(re.findall(r"[\w*-]+(?:\.[\w*-]+)*", where.partition(" ")[2])):
        line = next((n for n, row in enumerate(rows, 1) if word in row), 0)
        if line:
            return f"{document.path}:{line}"
    return f"{document.path}:1"


def _policies(
    files: Mapping[str, bytes],
    recipients: Mapping[str, Recipient],
    stated: checks.Stated,
    errors: list[PolicyError],
) -> tuple[tuple[Statement, ...], dict[str, cedar.Cut]]:
    cedar.check_schema(files.get(cedar.SCHEMA_FILE), errors)
    noted = len(errors)
    policies = tuple(
        statement
        for path in files
        if path.startswith("policies/") and path.endswith(".cedar")
        for statement in statements.read(path, files[path], errors, cedar.vocabulary())
    )
    all_read = len(errors) == noted
    known = {"Link": [link.id for link, _ in stated.links], "Recipient": list(recipients)}
    statements.check_references(policies, known, errors)
    cuts: dict[str, cedar.Cut] = {}
    for link, section in stated.links:
        reached = [p for p in policies if p.reaches("Disclose", link.id, link.recipient)]
        if all_read and not any(p.permits for p in reached):
            section.note(
                "id",
                f'no policy permits it; write in policies/: @id("{link.id}") permit(principal, '
                f'action == Action::"Disclose", resource == Link::"{link.id}");',
            )
        if len(reached) > cedar.CUT_POLICIES_MAX:
            section.note(
                "id",
                f"{len(reached)} policies can reach it, more than {cedar.CUT_POLICIES_MAX}; scope them: "
                'resource == Link::"…"',
            )
        elif not errors:
            cuts[link.id] = cedar.Cut(link, recipients[link.recipient], reached)
    return policies, cuts


def _cases(
    files: Mapping[str, bytes], links: Mapping[str, Link], errors: list[PolicyError]
) -> tuple[Case, ...]:
    found: list[Case] = []
    for path in files:
        wanted = path.startswith("policies/") and path.endswith(".test.toml")
        document = _open(files, path, errors) if wanted else None
        if document is None:
            continue
        section = Section(document, document.table, errors)
        found.extend(read_cases(section, links))
        section.done()
        missing = [case for case in found if case.link not in links]
        errors.extend(
            PolicyError(case.where, f"no link `{case.link}`; {near(case.link, links)}") for case in missing
        )
        found = [case for case in found if case.link in links]
    return tuple(found)


def _people_cases(files: Mapping[str, bytes], errors: list[PolicyError]) -> tuple[PeopleCase, ...]:
    found: list[PeopleCase] = []
    for path in files:
        document = _open(files, path, errors) if path.endswith(".test.toml") else None
        if document is not None:
            section = Section(document, document.table, errors)
            found.extend(read_people_cases(section))
            section.done()
    return tuple(found)
