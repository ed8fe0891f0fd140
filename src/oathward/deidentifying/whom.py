"""Whose a unit is, and the secrets it is shaped with.

Rules:
- By the same keyed identifiers as messages: a patient who is known keeps the pseudonym of the project; one nobody has heard of becomes
  a subject by all identifiers that stand together.
- Identifiers that lead to two patients are ambiguous: nothing of the unit passes.
- What names nobody is nobody's: its secrets are of the file, so that nothing ties it to another one.
- Secrets are asked for once a patient, and live as long as the job.
- Patients of one file are looked up, registered and asked for together, in parts: each by itself would be a commit here and one of the keeper's.
- That a patient was erased is said of what is theirs (``DeidentificationError``); that nobody can be asked is an error of the job.

Deliberately absent: demographics as identity.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import orjson

from oathward.core.clock import micros, standard_offset_min, zone_of
from oathward.core.db import GROUP_ROWS_MAX, write
from oathward.core.errors import DeidentificationError, KeeperError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.deid.action import SEED_BYTES, days_of
from oathward.deidentifying.apart import Apart
from oathward.patients import actions
from oathward.patients.identifiers import Hasher, Identifier
from oathward.vault.keeper.client.jobs import SEEDS_MAX

if TYPE_CHECKING:
    from oathward.vault.keeper.client.jobs import Order
    from oathward.vault.opened import Opened

_VALUE_LENGTH_MAX = 1_000
_KNOWN_MAX = 500
"""Values of one patient."""
Thing = TypeVar("Thing")


class Secrets(NamedTuple):
    """What one unit is shaped with. ``subject``: empty where nobody is named; ``told``: what its worker is told."""

    subject: str
    told: Mapping[str, Any]


class Whom:
    """Find patients of one project for one job; safe in threads.

    Args:
        order: what the keeper gave the job, for the project. by: who runs it.
        apart: a merge leaves each number its pseudonym, as on the project's links. shifts: dates move.
        authority: of numbers that name none; empty: none.
    """

    def __init__(
        self,
        site: Opened,
        order: Order,
        hasher: Hasher,
        by: str,
        *,
        shifts: bool,
        apart: bool = True,
        authority: str = "",
    ) -> None:
        self._site, self._order, self._hasher, self._by = site, order, hasher, by
        self._shifts, self._apart = shifts, apart
        self._year = site.clock.now().year
        self._offset_min = standard_offset_min(zone_of(site.settings.deid.zone) or UTC, self._year)
        self._guard = threading.Lock()
        self._subjects: dict[tuple[bytes, ...], str | None] = {}
        self._seeds: dict[str, bytes] = {}
        self._known: dict[str, bytes] = {}
        self._numbers = Apart(order.device_key, hasher.authorities, authority)

    @property
    def device_key(self) -> bytes:
        """The project's own key."""
        return self._order.device_key

    def counts_apart(self) -> Mapping[str, int]:
        """Count whose numbers stand under authorities that were not declared, and are another's elsewhere: ``Apart.counts``."""
        return self._numbers.counts()

    def secrets(self, who: Sequence[Sequence[Sequence[Any]]], name: str, source: str) -> list[Secrets | None]:
        """Give what each unit of a file is shaped with, one thing a patient; None where whose it is cannot be said.

        Args:
            who: for each unit its identifiers: value, authority, type, whether it is local.
            name: of the file that leaves: what names nobody is shaped under it.

        Raises:
            DeidentificationError: ``KEY_DESTROYED``; a patient of it was erased.
            KeeperError, StorageError, LedgerError: nobody can be asked, or may be.
        """
        found: list[Secrets | None] = []
        subjects = self._subjects_of(who)
        seeds = self._seeds_of(one for one in subjects if one is not None)
        made = {
            subject: Secrets(subject, self._told(seed, source, subject)) for subject, seed in seeds.items()
        }
        for number, (listed, subject) in enumerate(zip(who, subjects, strict=True)):
            if not listed:
                seed = blake2b(
                    f"{name}\r{number}".encode(), key=self._order.device_key, digest_size=SEED_BYTES
                ).digest()
                found.append(Secrets("", self._told(seed, source, "")))
                continue
            found.append(None if subject is None else made[subject])
        return found

    def learn(self, who: Sequence[Sequence[Sequence[Any]]], known: Sequence[Sequence[Sequence[str]]]) -> None:
        """Remember what a file says of its patients, while the job lasts: texts of other files are searched for it.

        Args:
            who: as for ``secrets``. known: for each unit what it says: class, part, value.
        """
        subjects = self._subjects_of(
            [listed if values else [] for listed, values in zip(who, known, strict=True)]
        )
        for subject, values in zip(subjects, known, strict=True):
            if subject is not None:
                with self._guard:
                    before = orjson.loads(self._known.get(subject, b"[]"))
                    new = [list(one) for one in values if list(one) not in before]
                    self._known[subject] = orjson.dumps([*before, *new][:_KNOWN_MAX])

    def _told(self, seed: bytes, source: str, subject: str) -> dict[str, Any]:
        return {
            "known": orjson.loads(self._known.get(subject, b"[]")),
            "seed": base64.b64encode(seed).decode(),
            "device_key": base64.b64encode(self._order.device_key).decode(),
            "days": days_of(seed) if self._shifts else 0,
            "year": self._year,
            "offset_min": self._offset_min,
            "source": source,
        }

    def _subjects_of(self, who: Sequence[Sequence[Sequence[Any]]]) -> list[str | None]:
        """Find whose each unit is; None where nobody is named, or nobody can say."""
        told: list[tuple[bytes, ...]] = []
        patients: dict[tuple[bytes, ...], list[Identifier]] = {}
        for listed in who:
            identifiers = [_identifier(one) for one in listed]
            told.append(tuple(sorted({self._hasher.identifier(one) for one in identifiers})))
            if identifiers:
                patients.setdefault(told[-1], identifiers)
        for part in _parts(list(patients), GROUP_ROWS_MAX):
            with self._guard:
                new = [key for key in part if key not in self._subjects]
                if new:
                    self._register({key: patients[key] for key in new})
        return [self._subjects[key] if key else None for key in told]

    def _register(self, patients: Mapping[tuple[bytes, ...], Sequence[Identifier]]) -> None:
        with write(self._site.engine) as db:
            found = actions.register_together(
                db,
                self._site.site,
                self._hasher,
                list(patients.values()),
                by=self._by,
                apart=self._apart,
                now_us=micros(self._site.clock.now()),
            )
        self._subjects |= zip(patients, found, strict=True)
        for subject, identifiers in zip(found, patients.values(), strict=True):
            if subject is not None:
                self._numbers.take(subject, identifiers)

    def _seeds_of(self, subjects: Iterable[str]) -> dict[str, bytes]:
        wanted = list(dict.fromkeys(subjects))
        for part in _parts(wanted, SEEDS_MAX):
            with self._guard:
                new = [one for one in part if one not in self._seeds]
                if new:
                    self._seeds |= zip(new, self._asked(new), strict=True)
        return {one: self._seeds[one] for one in wanted}

    def _asked(self, subjects: Sequence[str]) -> list[bytes]:
        try:
            return self._order.seeds(subjects)
        except KeeperError as error:
            if error.reason is not Reason.KEY_DESTROYED:
                raise
            raise DeidentificationError("patient", "who was not erased", reason=error.reason) from error


def _parts(things: Sequence[Thing], size_max: int) -> Iterator[Sequence[Thing]]:
    for start in range(0, len(things), size_max):
        yield things[start : start + size_max]


def _identifier(one: Sequence[Any]) -> Identifier:
    """Take a worker's word for an identifier; it read a stranger's file."""
    value, authority, type_, local = one
    return Identifier(Phi(str(value)[:_VALUE_LENGTH_MAX]), str(authority), str(type_), local=bool(local))
