"""Make an emergency copy: of every inpatient what is proved good, sealed to a key whose private half is elsewhere.

Steps: 1 the newest checkpoint that is signed and, where there is a witness, cosigned · 2 the run is on record · 3 each
patient: what proves is opened and sealed to the copy's key; what does not is as the copy before has it · 4 the manifest
is signed, the file is seen · 5 the run is on record with its counts, findings with it · 6 older generations go.

Rules:
- Opened originals go from here into the copy's seal and nowhere else; who asks for a copy gets a file name.
- A patient one part of whom does not prove is kept as they were proved last, byte for byte, and is a finding.
- A ledger shorter than what this keeper signed makes no copy at all: the last good one stays.
- One run at a time. It counts for no person's limit of openings; it is one record, with counts.

Deliberately absent: reading of what is copied (whoever reads the copy does), and the private key.
"""

from __future__ import annotations

import hashlib
import struct
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from oathward.core.db import read
from oathward.core.errors import InputError, KeeperError, LedgerError, OathwardError, VaultError
from oathward.core.ids import uuid7
from oathward.core.points import point
from oathward.core.reasons import Reason
from oathward.ledger import Record, checkpoint, note
from oathward.ledger.proving import Proofs
from oathward.vault import inpatients
from oathward.vault.care_rows import Stamps
from oathward.vault.emergency import copies, keys, sealing
from oathward.vault.emergency.copies import Copy, Manifest, Section
from oathward.vault.emergency.keys import Trust
from oathward.vault.keeper import checkpoints, keyring, subjects
from oathward.vault.keeper.copying.progress import Progress
from oathward.vault.keeper.copying.proving import Bounds, Good, good_of
from oathward.vault.keeper.keeper import Keeper

if TYPE_CHECKING:
    from oathward.vault.inpatients import Inpatient

LOOK_BACK = 256
"""Checkpoints that may wait for the witness; with more of them, no copy is made."""

FINDINGS_MAX = 100
_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Made:
    """What a run made. ``states``: how many patients are in which state."""

    file: str
    run: str
    generation: int
    made_us: int
    patients: int
    opened: int
    bytes: int
    witnessed_s: int
    states: Mapping[str, int] = field(default_factory=dict)


def make(keeper: Keeper, folder: Path, by: str, told: Callable[[int, int], None] | None = None) -> Made:
    """Make a copy in a folder.

    Args:
        told: how many patients are done, of how many; after each.

    Raises:
        SettingsError, InputError: no public key is set, or the folder cannot be.
        KeeperError: ``CONFLICT``: a run is on. LedgerError: the ledger is not what was signed. StorageError: no room.
    """
    trust = trust_of(keeper)
    if not folder.is_absolute() or not folder.is_dir():
        raise _no_folder()
    if not keeper.copying.acquire(blocking=False):
        raise _is_on()
    try:
        return _Run(keeper, folder, trust, by).make(told or _untold)
    except OathwardError as error:
        keeper.note("copy.refused", {"by": by, "why": error.reason.code, "where": error.where})
        raise
    finally:
        keeper.copying.release()


def begin(keeper: Keeper, folder: Path, by: str) -> Progress:
    """Begin a copy that somebody asks for, beside what the keeper goes on doing: a big house takes minutes.

    Raises:
        InputError, KeeperError: as ``make``, where it can be told at once; what goes wrong later stands in the progress.
    """
    trust_of(keeper)
    if not folder.is_absolute() or not folder.is_dir():
        raise _no_folder()
    if keeper.copying.locked():
        raise _is_on()
    mine = Progress(uuid7())

    def run() -> None:
        try:
            mine.made = asdict(make(keeper, folder, by, mine.told))
        except OathwardError as error:
            mine.refused = error
        finally:  # an error of ours: nothing was made, and it is not said that something was
            mine.ended.set()

    keeper.copy_asked = mine
    threading.Thread(target=run, name="copy", daemon=True).start()
    return mine


def trust_of(keeper: Keeper) -> Trust:
    """Read the copy's public key, and see that it names this keeper's own keys.

    Raises:
        InputError: none is set, it cannot be read, or it is another site's.
    """
    named = keeper.settings.emergency.public_key_file
    if not named:
        raise InputError("[emergency] public_key_file", "is not set: `oathward emergency key` makes one")
    trust = keys.load_trust(keeper.settings.data / named)
    same = (
        trust.authority.public == keeper.authority.public and trust.ledger.public == keeper.ledger_key.public
    )
    if trust.site != keeper.site or not same:
        raise InputError(
            "[emergency] public_key_file", "is of another site, or of keys this keeper no longer has"
        )
    return trust


def _untold(_done: int, _of: int) -> None:
    """Nobody asked."""


def _no_folder() -> InputError:
    return InputError("--to", "is no folder of the keeper's machine; give its whole path")


def _is_on() -> KeeperError:
    return KeeperError("emergency copy", "is being made already", reason=Reason.CONFLICT)


class _Run:
    """One run of making."""

    def __init__(self, keeper: Keeper, folder: Path, trust: Trust, by: str) -> None:
        self._keeper, self._folder, self._trust, self._by = keeper, folder, trust, by
        self._at_us = keeper.now_us()
        self._id = uuid7(self._at_us // 1_000)
        self._opened = 0
        self._findings: list[Record] = []
        self._states: dict[str, int] = {}

    def make(self, told: Callable[[int, int], None]) -> Made:
        """Do it."""
        keeper = self._keeper
        if not keeper.confirmed:
            why = "has not been asked since the start"
            raise KeeperError("witness", why, reason=Reason.KEEPER_UNAVAILABLE)
        kept, witnessed_s = newest_checkpoint(keeper, self._trust)
        signed = checkpoint.read_note(kept, [self._trust.ledger])
        present = copies.generations(self._folder)
        before = _before(present, self._trust)
        keeper.note("copy.begun", {"by": self._by, "key": self._trust.key_id, "run": self._id})
        here = self._inpatients()
        try:
            with copies.writing(self._folder, max(present, default=0) + 1) as out:
                proofs = Proofs(keeper.site, signed)
                sections = []
                for done, one in enumerate(here):
                    told(done, len(here))
                    sections.append(self._section(one, proofs, before, len(here), out))
                    point("emergency.section")
                manifest = Manifest(
                    *(keeper.site, self._id, max(present, default=0) + 1, self._at_us, self._trust.key_id),
                    *(kept, witnessed_s, keeper.settings.emergency.hours, tuple(filter(None, sections))),
                )
                path = out.finish(copies.sign(manifest, keeper.authority))
        finally:
            if before is not None:
                before.close()
        made = self._made(path, manifest)
        self._record(made)
        _prune(self._folder, keeper.settings.emergency.generations)
        return made

    def _inpatients(self) -> list[Inpatient]:
        keeper = self._keeper
        stamps = Stamps(keyring.site_keys(keeper.store, keeper.site)["index"], keeper.site)
        heard_after_us = self._at_us - int(keeper.settings.people.care_silence_days * _DAY_US)
        return list(inpatients.inpatients(keeper.engine, keeper.site, heard_after_us, stamps))

    def _section(
        self, one: Inpatient, proofs: Proofs, before: Copy | None, count: int, out: copies.Writer
    ) -> Section | None:
        """Write one patient; None where everything of them was erased."""
        keeper, limits = self._keeper, self._keeper.settings.emergency
        alive = [s for s in one.subjects if not subjects.is_erased(keeper.store, keeper.site, s)]
        if not alive:
            return None
        since_us = self._at_us - int(limits.hours * _HOUR_US)
        share = min(limits.bytes_max // count, copies.SECTION_BYTES_MAX // 2)
        with read(keeper.engine) as db:
            good = good_of(keeper, db, alive, proofs, Bounds(since_us, limits.messages_max, share))
        self._opened += len(good.messages) + bool(good.card)
        if good.bad:
            self._find(one, good)
            last = _last(before, alive) if len(alive) == len(one.subjects) else None
            if before is not None and last is not None:
                at = out.add(before.section(last))
                return self._counted(replace(last, at=at, state="kept"))
        state = "proved" if not good.bad else "partly" if good.messages or good.card else "missing"
        raw = _sealed(self._trust, one, good, self._at_us)
        ids = sorted(message for message, _, _ in good.messages)
        return self._counted(
            Section(
                *(one.subject, out.add(raw), len(raw), hashlib.sha256(raw).hexdigest(), self._at_us, state),
                *(ids[0] if ids else "", ids[-1] if ids else "", len(ids)),
                copies.digest_of((message, digest) for message, digest, _ in good.messages),
            )
        )

    def _counted(self, section: Section) -> Section:
        self._states[section.state] = self._states.get(section.state, 0) + 1
        return section

    def _find(self, one: Inpatient, good: Good) -> None:
        if len(self._findings) < FINDINGS_MAX:
            why = sorted(set(good.bad.values()))
            body = {
                "finding": Reason.EMERGENCY_NOT_PROVED.code,
                "messages": sorted(good.bad)[:20],
                "not_proved": len(good.bad),
                "run": self._id,
                "why": why,
            }
            self._findings.append(Record("finding.raised", body, self._at_us, one.subject))

    def _made(self, path: Path, manifest: Manifest) -> Made:
        return Made(
            *(path.name, self._id, manifest.generation, self._at_us, len(manifest.sections), self._opened),
            *(path.stat().st_size, manifest.witnessed_s, dict(sorted(self._states.items()))),
        )

    def _record(self, made: Made) -> None:
        body = {name: value for name, value in asdict(made).items() if name != "made_us"}
        body |= {"by": self._by, "key": self._trust.key_id, "purpose": "ETREAT"}
        self._keeper.record([*self._findings, Record("copy.made", body, self._keeper.now_us())])


def newest_checkpoint(keeper: Keeper, trust: Trust) -> tuple[str, int]:
    """Give the newest checkpoint that counts, and when it was cosigned (seconds; 0 without a witness).

    Raises:
        LedgerError: ``LEDGER_ROLLED_BACK``: the ledger is shorter than what was signed; ``WITNESS_UNAVAILABLE``: the witness
            cosigned none of the last ones; ``NOT_FOUND``: there is none.
    """
    text = keeper.store.meta(checkpoints.META)
    with read(keeper.engine) as db:
        checkpoint.propose(
            db, keeper.site, checkpoint.parse(text) if text else None
        )  # refuses one that was cut
        latest = checkpoint.latest(db, keeper.site)
        if latest is None:
            raise LedgerError("checkpoint", "there is none yet", reason=Reason.NOT_FOUND)
        if trust.witness is None:
            return latest.note, 0
        page = checkpoint.page(db, keeper.site, latest.seq - LOOK_BACK, rows=LOOK_BACK)
    for kept in reversed(page):
        text, signatures = note.split(kept.note)
        identity = note.key_id(trust.witness.name, trust.witness.public, note.COSIGNATURE)
        if any((one.name, one.key_id) == (trust.witness.name, identity) for one in signatures):
            return kept.note, note.check_cosignature(text, signatures, trust.witness)
    why = "cosigned none of the newest checkpoints; no copy is made of what nobody outside has seen"
    raise LedgerError("witness", why, reason=Reason.WITNESS_UNAVAILABLE)


def _sealed(trust: Trust, one: Inpatient, good: Good, at_us: int) -> bytes:
    """Seal one patient: first who and where, then what devices told, so that a list opens the first part alone."""
    face = {"proved_us": at_us, "since_us": one.since_us, "subject": one.subject, "unit": one.unit}
    told = [part for message, _, raw in reversed(good.messages) for part in (message.encode(), raw)]
    parts = [
        orjson.dumps(face) + b"\n" + good.card,
        zlib.compress(b"".join(_LENGTH.pack(len(part)) + part for part in told), 1),
    ]
    return sealing.seal(trust.public, ("section", trust.site), parts)


def _before(present: Mapping[int, Path], trust: Trust) -> Copy | None:
    """Open the newest copy that verifies, if any: what does not prove now is taken from it."""
    for number in sorted(present, reverse=True):
        try:
            return copies.open_copy(present[number], trust)
        except VaultError:
            continue
    return None


def _last(before: Copy | None, alive: list[str]) -> Section | None:
    if before is None:
        return None
    found = [one for one in before.manifest.sections if one.subject in alive and one.state != "missing"]
    for one in found:
        try:
            before.section(one)
        except VaultError:
            continue
        return one
    return None


def _prune(folder: Path, keep: int) -> None:
    """Delete the oldest generations."""
    present = copies.generations(folder)
    for number in sorted(present)[: -max(1, keep)]:
        present[number].unlink(missing_ok=True)
