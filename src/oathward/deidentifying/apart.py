"""Patients who are two because two names of one assigning authority were not declared the same: counted, never joined.

Rules:
- Counted are the files of this run; what an earlier run of a job that goes on had read is not.
- Names of authorities come from strangers' files: only how many there are is told.
- Values are kept as keyed digests, while the job lasts.

Deliberately absent: guessing that two are one. A number may be two patients', under two authorities.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from oathward.core.authorities import Authorities
from oathward.patients.identifiers import Identifier

_DIGEST_BYTES = 16
_URI = "URI:"


class Apart:
    """Counts for one job.

    Args:
        key: of digests. table: what the site declared. default: the authority of numbers that name none, as somebody wrote it.
    """

    def __init__(self, key: bytes, table: Authorities, default: str = "") -> None:
        self._key, self._table = key, table
        self._default = table.written(default)
        self._undeclared: set[str] = set()
        self._stands: dict[bytes, set[tuple[str, str]]] = {}  # of each number (authority, subject)

    def take(self, subject: str, identifiers: Iterable[Identifier]) -> None:
        """Take the numbers of a patient."""
        for one in identifiers:
            if one.local or not one.authority:
                continue
            if one.authority != self._default and not self._table.declares(one.authority):
                self._undeclared.add(one.authority)
            value = blake2b(one.value.reveal().encode(), key=self._key, digest_size=_DIGEST_BYTES).digest()
            self._stands.setdefault(value, set()).add((one.authority, subject))

    def counts(self) -> Mapping[str, int]:
        """Give how many authorities were not declared, ``systems`` of them of FHIR, and ``patients`` under these whose number is another's elsewhere."""
        twice = {
            subject
            for stands in self._stands.values()
            for authority, subject in stands
            if authority in self._undeclared
            and any(other != authority and whose != subject for other, whose in stands)
        }
        systems = sum(one.startswith(_URI) for one in self._undeclared)
        return {"undeclared": len(self._undeclared), "systems": systems, "patients": len(twice)}


def words_of(counts: Mapping[str, int]) -> str:
    """Say it in a sentence; empty where no patient may be two."""
    if not counts.get("patients"):
        return ""
    many, systems = counts["undeclared"], counts["systems"]
    what = "an authority" if many == 1 else f"{many:,} authorities"
    if systems == many:
        what = "a FHIR system" if many == 1 else f"{many:,} FHIR systems"
    patients = "1 patient has" if counts["patients"] == 1 else f"{counts['patients']:,} patients have"
    return (
        f"{patients} a number under {what} that the settings do not declare ([patients.authorities]),"
        " and the same number stands under another: these count as different patients, with different pseudonyms."
    )
