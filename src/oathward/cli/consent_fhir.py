"""``oathward consent import --fhir`` and ``consent check``: consents as FHIR writes them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from oathward.cli.asking import identifiers_in, opened, person_of, read_bytes
from oathward.cli.consent_import import (
    NOTHING,
    STRANGER,
    Done,
    How,
    Told,
    carry_out,
    counted,
    hasher_by,
    keys_of,
)
from oathward.cli.consents import bundle_in_force, check_subject
from oathward.cli.output import settings_of
from oathward.consent.fhir.sets import Problem
from oathward.consent.telling import in_words, plain
from oathward.core.errors import InputError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.consent.fhir.parts import Remark
    from oathward.consent.fhir.sets import Consents, Named
    from oathward.consent.model import Statement
    from oathward.patients.identifiers import Hasher, Identifier
    from oathward.policy.bundle import Bundle
    from oathward.vault.keeper.client import GatewayKeys

WORDS = {"permit": "PERMIT", "deny": "DENY", "none": "NO CONSENT"}


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked of an import. ``subject``, ``identifier_file``: whose all of them are."""

    path: str
    zone: str = "UTC"
    subject: str = ""
    identifier_file: str | None = None
    dry_run: bool = False
    replace: bool = False
    known_only: bool = False
    person: str | None = None
    data: str | None = None
    edition: str = ""

    def how(self) -> How:
        """Give what does not depend on the form."""
        return How(person_of(self.person), self.dry_run, self.replace, self.known_only)


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of it; with ``problems`` nothing was stored."""

    consents: int
    active: int
    done: Done
    problems: list[Problem]
    remarks: list[tuple[str, Remark]]
    dry_run: bool

    def value(self) -> dict[str, Any]:
        """Give it as JSON."""
        return {
            "consents": self.consents,
            "active": self.active,
            "errors": [{"file": p.file, "where": p.where, "why": p.why} for p in self.problems],
            "remarks": [{"file": file, "code": r.code, "where": r.where} for file, r in self.remarks],
            **counted(self.done, dry_run=self.dry_run),
        }


def import_(options: Options) -> Imported:
    """Read consents and store what they say, each in place of what an earlier version of it said."""
    if options.subject and options.identifier_file:
        raise InputError("options", "say --subject or --identifier-file, not both")
    found = gathered(options.path, options.zone, options.edition)
    keys = keys_of(settings_of(options.data))
    one, told = _told(options, found, keys)
    if one.problems:
        return one
    done = carry_out(told, options.how(), keys=keys, data=options.data)
    unknown = done.unknown if options.known_only else ()
    problems = [Problem(place, "Consent.patient", STRANGER) for place in unknown]
    return replace(one, done=done, problems=problems)


def problem_free(options: Options, name: str, data: bytes, keys: GatewayKeys) -> tuple[Imported, list[Told]]:
    """Read consents, whatever stands in them; with problems nothing of it may be stored."""
    from oathward.consent.fhir.sets import gather_apart

    how = _zone(options.zone), _edition(options.edition)
    return _told(options, gather_apart([(name, data)], *how, _now_us()), keys)


def _told(options: Options, found: Consents, keys: GatewayKeys) -> tuple[Imported, list[Told]]:
    settings = settings_of(options.data)
    problems = list(found.problems)
    remarks = [(one.file, remark) for one in found.found for remark in one.reading.remarks]
    remarks += _strangers(found, bundle_in_force(settings))
    hasher = hasher_by(settings, keys)
    given = identifiers_in(options.identifier_file, hasher) if options.identifier_file else []
    if len(given) > 1:
        raise InputError("--identifier-file", "must hold one identifier")
    told = []
    for one in found.found:
        who = tuple(given) or tuple(() if options.subject else _identifiers(one, hasher))
        if not who and not options.subject:
            why = "names nobody by an identifier; give --identifier-file"
            problems.append(Problem(one.file, "Consent.patient", why))
        reading = one.reading
        told.append(
            Told(
                one.file,
                reading.statements,
                who,
                options.subject,
                reading.origins,
                reading.as_of_us,
                one.body,
            )
        )
    active = sum(one.reading.active for one in found.found)
    return Imported(len(told), active, NOTHING, problems, remarks, options.dry_run), told


def gathered(path: str, zone: str, edition: str = "") -> Consents:
    """Read a file, stdin for ``-``, or every ``*.json`` and ``*.ndjson`` below a folder.

    Raises:
        InputError: it is not there, or the zone or the edition is none.
    """
    from oathward.consent.fhir.sets import FILES_MAX, LINES, gather_apart

    folder = Path(path)
    if path == "-" or not folder.is_dir():
        files = iter([(path, _bytes(path))])
        return gather_apart(files, _zone(zone), _edition(edition), _now_us())
    paths = sorted(f for f in folder.rglob("*") if f.suffix in (".json", *LINES) and f.is_file())
    if not paths or len(paths) > FILES_MAX:
        why = f"a folder with 1 to {FILES_MAX} *.json or *.ndjson"
        raise InputError(path, why, reason=Reason.NOT_FOUND)
    named = ((str(file.relative_to(folder)), _bytes(str(file))) for file in paths)
    return gather_apart(named, _zone(zone), _edition(edition), _now_us())


def _bytes(path: str) -> bytes:
    """Read a file, or stdin, a little more than may be read at most.

    Raises:
        InputError: it cannot be read.
    """
    from oathward.consent.fhir.sets import FILE_BYTES_MAX

    return read_bytes(path, FILE_BYTES_MAX)


def _zone(name: str) -> str:
    """Check the name of a zone.

    Raises:
        InputError: there is none.
    """
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError("--zone", "a time zone such as Europe/Berlin") from error


def _edition(name: str) -> str:
    """Read what was said of the edition.

    Raises:
        InputError: it is none of those.
    """
    if name not in {"", "r4", "r5"}:
        raise InputError("--edition", "r4 or r5")
    return name


def _now_us() -> int:
    from oathward.core.clock import wall_s

    return int(wall_s() * 1_000_000)


def _identifiers(one: Named, hasher: Hasher) -> list[Identifier]:
    """Give the identifiers of a Consent's patient that name one person."""
    from oathward.patients.identifiers import UNTYPED, Identifier, is_person_type, is_placeholder

    found = []
    for system, value, type_ in one.patient:
        authority = hasher.authorities.written_uri(system) if system else ""
        if authority and is_person_type(type_) and not is_placeholder(value.reveal().strip()):
            found.append(Identifier(Phi(value.reveal().strip()), authority, type_ or UNTYPED))
    return found


def _strangers(found: Consents, bundle: Bundle | None) -> list[tuple[str, Remark]]:
    """Remark on actors that no recipient of the policy in force declares."""
    from oathward.consent.fhir.parts import Remark
    from oathward.policy.consents import ANY

    if bundle is None:
        return []
    known = {ANY, *bundle.recipients, *(word for r in bundle.recipients.values() for word in r.actors)}
    return list(
        dict.fromkeys(
            (one.file, Remark("consent.actor-unknown", f"Consent.{s.source.split()[-1]}.actor"))
            for one in found.found
            for s in one.reading.statements
            if not s.fact.recipients & known
        )
    )


# --- check


@dataclass(frozen=True, slots=True)
class Question:
    """What ``consent check`` was asked, as it was written."""

    purpose: str
    recipient: str
    actors: list[str]
    class_: str
    codes: list[str]
    labels: list[str]
    at: str


def check(question: Question, *, path: str, zone: str, subject: str, data: str | None) -> dict[str, Any]:
    """Say what consents come to for one datum, and which provision of which file says so."""
    from oathward.consent.query import Query, ask
    from oathward.consent.sheet import moment
    from oathward.core.labels import CLASSES, Confidentiality, Purpose

    if bool(path) == bool(subject):
        raise InputError("options", "say --fhir or --subject")
    if question.purpose not in {str(p) for p in Purpose}:
        raise InputError("--purpose", f"of {', '.join(sorted(str(p) for p in Purpose))}")
    if question.class_ not in CLASSES:
        raise InputError("--class", "an element class such as observation.value")
    statements = _stored(subject, data) if subject else _of_files(path, zone)
    words = {question.recipient, *question.actors} - {""}
    if question.recipient:
        bundle = bundle_in_force(settings_of(data))
        recipient = bundle.recipients.get(question.recipient) if bundle else None
        words |= recipient.actors if recipient else frozenset()
    levels = {str(level) for level in Confidentiality}
    asked = moment(question.at, "--at", end=False)
    query = Query(
        purpose=question.purpose,
        recipient=frozenset(words),
        at_us=_now_us() if asked is None else asked,
        class_=question.class_,
        codes=frozenset(question.codes),
        confidentiality=next((word for word in question.labels if word in levels), "N"),
        sensitivity=frozenset(question.labels) - levels,
    )
    answer = ask([statement for _, statement in statements], query)
    files = {id(statement): file for file, statement in statements}
    return {
        "decision": answer.word,
        "by": [{"file": files[id(one)], "says": in_words(one), **plain(one)} for one in answer.by],
    }


def _of_files(path: str, zone: str) -> list[tuple[str, Statement]]:
    found = gathered(path, zone)
    for problem in found.problems:
        raise InputError(f"{problem.file}: {problem.where}", problem.why)
    for one in found.found:
        for remark in one.reading.remarks:
            print(f"{one.file}: {said(remark)}", file=sys.stderr)
    return [(one.file, statement) for one in found.found for statement in one.reading.statements]


def _stored(subject: str, data: str | None) -> list[tuple[str, Statement]]:
    from oathward.consent.views import facts_of
    from oathward.core.db import read
    from oathward.patients import views

    with opened(data) as site:
        check_subject(site, subject)
        with read(site.engine) as db:
            family = views.family(db, site.site, subject)
            each = [facts_of(db, site.site, one, site.authority, site.seen)[1] for one in family]
    return [("", statement) for statements in each for statement in statements]


def said(remark: Remark) -> str:
    """Say a remark in one line."""
    from oathward.consent.fhir.parts import REMARKS

    return f"{remark.where}: {REMARKS[remark.code]} ({remark.code})"
