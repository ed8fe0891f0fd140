"""What one assigning authority is called: a namespace, a universal id, or both, and which of them are the same.

Rules:
- A universal id and a namespace are one authority only where the site declared it; no message can declare it.
- What is declared is compared without regard to case; a namespace that nobody declared is taken as it stands.
- An OID is one wherever it stands: ``1.2.3``, ``urn:oid:1.2.3``, ``&1.2.3&ISO``, also as a namespace. Where a field
  names both, the universal id decides.
- No name at all stays none: it is never an alias of anything.

Deliberately absent: guessing that two names are one because they were seen together.

Source: HL7 v2.8.2 §2A.3.33 (HD), table 0301; RFC 3061 (urn:oid), RFC 8141 (urn).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from oathward.core.errors import SettingsError

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*)){2,}")
_KINDS = frozenset(
    ("DNS", "GUID", "HCD", "HL7", "ISO", "L", "M", "N", "RANDOM", "URI", "UUID", "X400", "X500")
)
_URN = re.compile("urn:.", re.IGNORECASE).match  # also what lacks a namespace, which many write
_NULL = '""'


class Named(NamedTuple):
    """The authority that a field names; empty for none.

    ``apart``: the field names two that were not declared the same.
    """

    authority: str
    apart: bool = False


class Authorities:
    """The site's table of names.

    Args:
        table: the name the site uses -> what else the same authority is called, each as in CX-4: ``HOSPITAL``,
            ``1.2.3`` or ``&1.2.3&ISO``.

    Raises:
        SettingsError: a name that is none, or one that stands for two authorities.
    """

    def __init__(self, table: Mapping[str, Sequence[str]] | None = None) -> None:
        self._one: dict[str, str] = {}
        self._others: dict[str, tuple[str, ...]] = {}
        shown: dict[str, str] = {}
        for name, aliases in (table or {}).items():
            authority, *more = _only(name, name)
            if more:
                raise SettingsError(name, "name it by one of the two, and list the other")
            called = dict.fromkeys(key for alias in aliases for key in _only(alias, name))
            for key in (authority, *called):
                other = shown.setdefault(key.casefold(), name)
                if other != name:
                    why = f"`{_spelt(key)}` stands for `{other}` too; one name has one authority"
                    raise SettingsError(name, why)
                self._one[key.casefold()] = authority
            self._others[authority] = tuple(key for key in called if key != authority)

    def __bool__(self) -> bool:
        return bool(self._one)

    def named(self, namespace: str, universal: str = "", kind: str = "") -> Named:
        """Say which authority the three parts of an HD name, cleaned of escapes and outer spaces."""
        first, second = keys_of(namespace, universal, kind)
        by_name, by_id = self._authority(first), self._authority(second)
        return Named(by_id or by_name, bool(by_name and by_id and by_name != by_id))

    def written(self, text: str) -> str:
        """Give the authority that a person wrote as in CX-4; empty for none."""
        parts = [*(p.strip() for p in text.split("&")), "", ""]
        return self.named(*parts[:3]).authority

    def written_uri(self, uri: str) -> str:
        """Give the authority that a FHIR ``Identifier.system`` names: ``urn:oid:1.2.3``, ``urn:uuid:…`` or a URL."""
        return self.named("", uri.strip(), "URI").authority

    def others(self, authority: str) -> tuple[str, ...]:
        """List what else an authority is called: numbers may have been kept under it before it was declared."""
        return self._others.get(authority, ())

    def declares(self, authority: str) -> bool:
        """Say whether the table has an authority, by the name that all its names lead to."""
        return authority in self._others

    def _authority(self, key: str) -> str:
        return self._one.get(key.casefold(), key) if key else ""


def keys_of(namespace: str, universal: str = "", kind: str = "") -> tuple[str, str]:
    """Give an authority's name by its namespace and by its universal id, each empty where there is none."""
    namespace, universal = ("" if part == _NULL else part for part in (namespace, universal))
    if not kind and universal.upper() in _KINDS and _OID.fullmatch(_bare(namespace)):
        namespace, universal, kind = "", namespace, universal  # 1.2.3&ISO: a part too early
    if not universal and _OID.fullmatch(_bare(namespace)):
        namespace, universal = "", namespace
    if not universal and ("://" in namespace or _URN(namespace)):
        namespace, universal, kind = "", namespace, "URI"
    by_id = _by_id(universal, kind) if universal else ""
    # A colon is ours: a namespace that has one cannot pass for a universal id.
    return (f":{namespace}" if ":" in namespace else namespace), by_id


def _by_id(universal: str, kind: str) -> str:
    bare, kind = _bare(universal), kind.upper()
    if _OID.fullmatch(bare) and kind in {"", "ISO", "OID", "URI"}:
        kind = "ISO"
    elif kind == "GUID" or universal.casefold().startswith("urn:uuid:"):
        kind = "UUID"
    return f"{kind}:{bare}"


def _bare(universal: str) -> str:
    return universal.casefold().removeprefix("urn:oid:").removeprefix("urn:uuid:")


def _only(text: str, name: str) -> list[str]:
    """Read one entry of the table: the keys it means."""
    parts = [*(p.strip() for p in text.split("&")), "", ""]
    found = [key for key in keys_of(*parts[:3]) if key]
    if not found or "^" in text or len(parts) > 5:
        raise SettingsError(name, "write each name as in CX-4: `HOSP`, `1.2.3` or `&1.2.3&ISO`")
    return found


def _spelt(key: str) -> str:
    kind, _, rest = key.partition(":")
    return rest if kind in {"", "ISO"} and rest else key
