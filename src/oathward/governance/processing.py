"""The record of processing, generated: one row a live link, one a data set that is kept here. Pure.

Rules:
- Every column of Art. 30(1) is there; each cell says where it comes from, and one that nothing fills says what is missing.
- Nothing is kept of it: it is what is live at the time it is asked for.
- A party's role follows from its agreement: who processes for us has a DPA or BAA, who decides with us a joint one, and who
  gets data for itself is a recipient. Without an agreement in the register no role can be told.

Deliberately absent: words that sound right and rest on nothing.

Source: GDPR Art. 30(1)(a)-(g), Art. 4(7)-(9), Art. 26, Art. 28.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from oathward.core.labels import CLASSES, ROLES
from oathward.governance.data_sets import DATA_SETS, DataSet
from oathward.governance.findings import Register
from oathward.governance.model import AgreementKind, AgreementRow, EntryKind
from oathward.policy.bundle import Bundle
from oathward.policy.model import KEEP, TRANSPORT_CLASSES, Link, Recipient

COLUMNS: Mapping[str, str] = {
    "activity": "Processing",
    "controller": "Controller, representative, protection officer · Art. 30(1)(a)",
    "role": "Party and its role · Art. 4(7)-(9), 26, 28",
    "purpose": "Purpose · Art. 30(1)(b)",
    "basis": "Legal basis · Art. 6, 9",
    "persons": "Data subjects · Art. 30(1)(c)",
    "data": "Personal data · Art. 30(1)(c)",
    "recipients": "Recipients · Art. 30(1)(d)",
    "transfers": "Third countries and safeguards · Art. 30(1)(e)",
    "erasure": "Time limits for erasure · Art. 30(1)(f)",
    "security": "Security measures · Art. 30(1)(g), 32(1)",
    "owner": "Owner and steward",
}
"""Key -> heading, in order."""

CONTROLLER, PROCESSOR, JOINT, RECIPIENT = "controller", "processor", "joint controller", "recipient"
PARTIES: Mapping[AgreementKind, str] = {
    AgreementKind.DPA: PROCESSOR,
    AgreementKind.BAA: PROCESSOR,
    AgreementKind.JOINT: JOINT,
    AgreementKind.DUA: RECIPIENT,
}
_ROLES_OF_PERSONS = {"patient": "patients", "relative": "patients' relatives", "staff": "staff"}


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one cell and where that comes from; ``missing``: what must be written, and where, to fill it."""

    text: str = ""
    source: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Processing:
    """One row: ``cells`` by the keys of ``COLUMNS``."""

    kind: EntryKind
    id: str
    cells: Mapping[str, Cell]


def record(register: Register) -> list[Processing]:
    """Write the record of what is live now."""
    bundle = register.bundle
    links = [] if bundle is None else [link for link in bundle.links.values() if link.recipient != KEEP]
    rows = [] if bundle is None else [_of_link(register, bundle, link) for link in links]
    return rows + [_of_data_set(register, one) for one in DATA_SETS]


def gaps(rows: Iterable[Processing]) -> list[tuple[str, str, str]]:
    """List what is missing: row, heading of the column, and what to write."""
    return [
        (row.id, COLUMNS[key], cell.missing)
        for row in rows
        for key, cell in row.cells.items()
        if cell.missing
    ]


def role_of(agreement: AgreementRow | None, recipient: Recipient) -> Cell:
    """Say what a party is to the controller."""
    party = recipient.party or recipient.id
    if not recipient.external:
        return Cell(f"{party}: {CONTROLLER}", f"recipients/{recipient.id}.toml, external = false")
    if agreement is None:
        return Cell(
            party, f"recipients/{recipient.id}.toml", "its agreement: `oathward governance agreement add`"
        )
    role = PARTIES.get(agreement.kind)
    if role is None:
        missing = f"whether {agreement.id} makes it a processor: add its DPA, or a joint agreement"
        return Cell(f"{party}: {RECIPIENT}", f"agreement {agreement.id} ({agreement.kind})", missing)
    return Cell(f"{party}: {role}", f"agreement {agreement.id} ({agreement.kind})")


def _of_link(register: Register, bundle: Bundle, link: Link) -> Processing:
    recipient = bundle.recipients[link.recipient]
    agreement = register.agreements.get(link.agreement)
    place = f"links/{link.id}.toml"
    days = link.retention_days
    cells = {
        "activity": Cell(f"{link.id}: {link.purpose} to {recipient.name}", place),
        "controller": _controller(register),
        "role": role_of(agreement, recipient),
        "purpose": Cell(str(link.purpose), f"{place} purpose"),
        "basis": Cell(link.legal_basis, f"{place} legal_basis"),
        "persons": Cell(", ".join(_persons(link)) or "none by name: readings of devices", f"{place} classes"),
        "data": Cell(_data(link), f"{place} classes, profile {link.profile}"),
        "recipients": _recipients(recipient, agreement),
        "transfers": _transfers(register, recipient, agreement),
        "erasure": Cell(f"{days} days", f"{place} retention_days")
        if days
        else Cell(missing=f"{place} retention_days"),
        "security": Cell(
            f"on the way: {recipient.protection}; sender known by {link.min_assurance} or better; shaped by {link.profile}; "
            "each delivery in a ledger",
            f"recipients/{recipient.id}.toml, {place}",
        ),
        "owner": _owner(register, EntryKind.LINK, link.id),
    }
    return Processing(EntryKind.LINK, link.id, _whole(cells))


def _of_data_set(register: Register, one: DataSet) -> Processing:
    said = f"data set {one.id}"
    keep = register.bundle.keep if register.bundle is not None else None
    basis = Cell(missing="links/keep.toml: without it nothing says why originals are kept")
    if keep is not None:
        basis = Cell(keep.legal_basis, f"links/{keep.id}.toml legal_basis")
    cells = {
        "activity": Cell(f"{one.id}: {one.title}", f"tables {', '.join(sorted(one.tables))}"),
        "controller": _controller(register),
        "role": Cell(f"this site: {CONTROLLER}", said),
        "purpose": Cell("to decide, deliver and prove what leaves", "ARCHITECTURE.md"),
        "basis": basis,
        "persons": Cell(one.persons, said),
        "data": Cell(one.data, said),
        "recipients": Cell("none: what leaves stands under its link", "this record"),
        "transfers": Cell("none: it lies in this site's data folder and database", "settings [database] url"),
        "erasure": Cell(one.kept(register.settings, register.bundle), "settings, bundle, tables"),
        "security": Cell(
            "sealed to a key that the keeper alone has, where it is content; every access a record of the ledger",
            "ARCHITECTURE.md",
        ),
        "owner": _owner(register, EntryKind.DATA_SET, one.id),
    }
    return Processing(EntryKind.DATA_SET, one.id, _whole(cells))


def _whole(cells: dict[str, Cell]) -> dict[str, Cell]:
    """Put cells in the order of the columns; one without words says at least that."""
    assert cells.keys() == COLUMNS.keys(), "every column of Art. 30(1) has a cell"
    return {
        key: cell if cell.text or cell.missing else Cell("", cell.source, f"{cell.source} says nothing")
        for key in COLUMNS
        for cell in (cells[key],)
    }


def _controller(register: Register) -> Cell:
    said = register.settings.governance
    named = {"controller": said.controller, "protection_officer": said.protection_officer}
    lacks = [f"[governance] {name}" for name, text in named.items() if not text]
    words = [said.controller, said.representative and f"represented by {said.representative}"]
    words.append(said.protection_officer and f"protection officer {said.protection_officer}")
    return Cell("; ".join(filter(None, words)), "settings [governance]", " and ".join(lacks))


def _persons(link: Link) -> list[str]:
    roles = {cls.partition(".")[0] for cls in link.classes - TRANSPORT_CLASSES}
    found = [words for role, words in _ROLES_OF_PERSONS.items() if role in roles]
    observed = any(cls.startswith(("observation.", "clinical.", "note.", "order")) for cls in link.classes)
    if observed and not {"patient", "relative"} & roles:
        found.append("patients, without what names them")
    return found


def _data(link: Link) -> str:
    """Write element classes as links do: ``patient.*`` where all of a role are meant, ``*`` where all there are."""
    left = set(link.classes - TRANSPORT_CLASSES)
    if left >= CLASSES - TRANSPORT_CLASSES:
        return "* (every element class)"
    words = []
    for role in (*ROLES, "observation"):
        every = {cls for cls in CLASSES if cls.startswith(f"{role}.")}
        if every <= left:
            words.append(f"{role}.*")
            left -= every
    return ", ".join(sorted([*words, *left])) or "the envelope alone"


def _recipients(recipient: Recipient, agreement: AgreementRow | None) -> Cell:
    onward = sorted(agreement.sub_recipients) if agreement else []
    words = f"{recipient.name}, {recipient.party}" + (f"; onward to {', '.join(onward)}" if onward else "")
    source = f"recipients/{recipient.id}.toml" + (
        f", agreement {agreement.id}" if onward and agreement else ""
    )
    return Cell(words, source)


def _transfers(register: Register, recipient: Recipient, agreement: AgreementRow | None) -> Cell:
    home = register.settings.governance.country.upper()
    if not recipient.external:
        return Cell("none: it is this site's own", f"recipients/{recipient.id}.toml, external = false")
    if agreement is None or not agreement.country:
        name = agreement.id if agreement else recipient.id
        return Cell(missing=f"the country of {recipient.party or name}: `--country` of its agreement")
    source = f"agreement {agreement.id}"
    said = f"{agreement.country}: {agreement.safeguards}".rstrip(": ")
    if not home:
        return Cell(said, source, "[governance] country: whether that is a third country")
    if agreement.country == home:
        return Cell(f"none: {agreement.country}", source)
    missing = (
        "" if agreement.safeguards else f"safeguards of a transfer to {agreement.country}: `--safeguards`"
    )
    return Cell(said, source, missing)


def _owner(register: Register, kind: EntryKind, id_: str) -> Cell:
    row = register.entries.get((kind, id_))
    people = register.living or {}
    named = [(name, getattr(row, name, "")) for name in ("owner", "steward")]
    words = [f"{name} {people.get(who, who)}" for name, who in named if who]
    lacks = [name for name, who in named if not who]
    missing = f"{' and '.join(lacks)}: `oathward governance set {kind}/{id_}`" if lacks else ""
    return Cell("; ".join(words), f"register {kind}/{id_}", missing)


def table(rows: Iterable[Processing]) -> Iterator[list[str]]:
    """Give rows as words for a table: each cell with its source, or with what is missing."""
    for row in rows:
        yield [said(cell) for cell in row.cells.values()]


def said(cell: Cell) -> str:
    """Write one cell: its words, where they come from, what is missing."""
    words = f"{cell.text} [{cell.source}]" if cell.text else ""
    missing = f"MISSING: {cell.missing}" if cell.missing else ""
    return " ".join(filter(None, (words, missing)))
