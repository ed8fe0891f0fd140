"""What must stand in the register because it is there: links and recipients of the bundle, what Oathward itself keeps. Pure.

Rules:
- Links and recipients follow from the active bundle; data sets from the tables and settings of this site.
- Each table that can say something of a person belongs to one data set (``data_sets``).
- How long a data set is kept stands where its setting stands: it is read, never copied.

Deliberately absent: releases (there are none yet), and what recipients keep.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import orjson

from oathward.core.settings import Settings
from oathward.governance.data_sets import DATA_SETS, DataSet
from oathward.governance.model import ConnectionRow, EntryKind, EntryRow
from oathward.policy.model import KEEP, Link, Recipient

if TYPE_CHECKING:
    from oathward.policy.bundle import Bundle

Key = tuple[EntryKind, str]


@dataclass(frozen=True, slots=True)
class Expected:
    """One thing that is there. ``why``: what says so; ``kept``: for how long, in words; empty where it does not apply."""

    kind: EntryKind
    id: str
    title: str
    why: str
    kept: str = ""

    @property
    def row(self) -> EntryRow:
        """The entry it has before anybody wrote one: a draft of nobody's."""
        return EntryRow(self.kind, self.id, self.title)


KEY_BACKUPS = Expected(
    EntryKind.BACKUP,
    "key-backups",
    "Backups of the keeper's key store",
    "the keeper's folder",
    "as the keeper's own dates say; `oathward keys` shows them",
)
DATABASE_BACKUPS = Expected(
    EntryKind.BACKUP,
    "database-backups",
    "Backups of database and sealed bodies, made by this site",
    "every site has or should have them",
    "as this site says; Oathward makes none",
)


def expected(bundle: Bundle | None, settings: Settings) -> dict[Key, Expected]:
    """List what must stand in the register, by kind and id."""
    found = [
        Expected(EntryKind.DATA_SET, one.id, one.title, _tables(one), one.kept(settings, bundle))
        for one in DATA_SETS
    ]
    if bundle is not None:
        found += [_link(link) for link in bundle.links.values()]
        found += [_recipient(one, bundle) for one in bundle.recipients.values() if one.id != KEEP]
    found += [KEY_BACKUPS, DATABASE_BACKUPS]
    return {(one.kind, one.id): one for one in found}


def connected(rows: Iterable[ConnectionRow]) -> dict[Key, Expected]:
    """List the entries that external connections have: of each that nobody ended."""
    return {
        (EntryKind.CONNECTION, row.id): Expected(
            *(
                EntryKind.CONNECTION,
                row.id,
                f"{row.party}, {row.role}",
                "it is in the list of external connections",
            ),
            f"{row.retention_days} days by {row.party}" if row.retention_days else "",
        )
        for row in rows
        if not row.ended_us
    }


_LATER = frozenset({"withdrawal_notice"})
"""Fields that things got later: as they are by themselves they do not make another thing of what was assessed before."""


def digest_of(thing: Link | Recipient) -> str:
    """Name a link or a recipient as it is, SHA-256 in hex: equal for equal ones, another one after any change."""
    row = {field.name: _plain(getattr(thing, field.name)) for field in fields(thing)}
    for name in _LATER & {name for name, value in row.items() if value is False}:
        del row[name]
    return hashlib.sha256(orjson.dumps(row, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in sorted(value.items())}
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


def _tables(one: DataSet) -> str:
    return "tables " + ", ".join(sorted(one.tables))


def _link(link: Link) -> Expected:
    to = "what Oathward keeps" if link.recipient == KEEP else link.recipient
    kept = f"{link.retention_days} days" if link.retention_days else ""
    return Expected(EntryKind.LINK, link.id, f"{link.purpose} to {to}", f"links/{link.id}.toml", kept)


def _recipient(one: Recipient, bundle: Bundle) -> Expected:
    links = sorted(link.id for link in bundle.links.values() if link.recipient == one.id)
    why = f"recipients/{one.id}.toml, links {', '.join(links) or 'none'}"
    return Expected(EntryKind.RECIPIENT, one.id, one.name, why)
