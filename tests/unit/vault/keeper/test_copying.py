"""Promises of the emergency copy's making: what is proved good is in it, sealed; what is not stays as it was, and is a finding."""

import hashlib
import json
import struct
import zlib

import orjson
import pytest
from tests import emergency
from tests.care import peopled, person
from tests.site import Site, bundle, local

from oathward.core.db import read, write
from oathward.core.errors import InputError, KeeperError, LedgerError, StorageError, VaultError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.vault.emergency import copies, keys, sealing
from oathward.vault.keeper import client
from oathward.vault.keeper.copying import making, proving

PEOPLE = [
    (person("p-privacy"), [Role.PRIVACY_OFFICER]),
    (person("p-clinician", units={"HOSP|ICU"}), [Role.CLINICIAN]),
    (person("p-admin"), [Role.ADMINISTRATOR]),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    site = Site.make(
        tmp_path_factory.mktemp("s"), more='[emergency]\npublic_key_file = "emergency.pub"\ngenerations = 3\n'
    )
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))
    with peopled(site, PEOPLE) as found:
        found.key = emergency.give_key(found.keeper, tmp_path_factory.mktemp("safe"))
        yield found


@pytest.fixture
def folder(tmp_path):
    return tmp_path


@pytest.fixture
def patient(world):
    one = emergency.admitted(world.gate)
    yield one
    emergency.discharged(world.gate, one)


def opened(world, path):
    """What a copy holds, by patient: face, card, message -> original."""
    found = {}
    with copies.open_copy(path, world.key.trust) as copy:
        for one in copy.manifest.sections:
            face, told = sealing.open_parts(
                world.key.private, ("section", world.gate.site), copy.section(one), 2, "x"
            )
            said, _, card = face.partition(b"\n")
            raw, parts, at = zlib.decompress(told), [], 0
            while at < len(raw):
                (length,) = struct.unpack_from(">I", raw, at)
                parts.append(raw[at + 4 : at + 4 + length])
                at += 4 + length
            found[one.subject] = (
                orjson.loads(said),
                card,
                dict(zip(parts[::2], parts[1::2], strict=True)),
                one,
            )
    return found


def records(world, kind):
    with read(world.gate.engine) as db:
        rows = db.exec_driver_sql(f"SELECT body FROM ledger_record WHERE kind = '{kind}' ORDER BY idx")
        return [json.loads(body) for (body,) in rows]


def execute(world, sql, *values):
    with write(world.gate.engine) as db:
        return db.exec_driver_sql(sql, values)


def row_of(world, message):
    with read(world.gate.engine) as db:
        return db.exec_driver_sql("SELECT * FROM kept_body WHERE message = ?", (message,)).mappings().first()


def test_a_record_names_the_digest_of_what_lies_sealed_and_of_the_card(world, patient):
    said = {one["message"]: one["body"] for one in records(world, "message.accepted")}
    assert said[patient.messages[0]]["kept"] == {"keep": row_of(world, patient.messages[0])["sha256"].hex()}
    with read(world.gate.engine) as db:
        message, sealed = db.exec_driver_sql(
            "SELECT message, sealed FROM subject_card WHERE subject = ?", (patient.subject,)
        ).one()
    assert said[message]["card"] == hashlib.sha256(sealed).hexdigest()


def test_the_copy_holds_each_inpatient_sealed_and_nothing_of_them_in_clear(world, patient, folder):
    made = emergency.make(world.keeper, folder)
    assert made.states == {"proved": 1}
    raw = (folder / made.file).read_bytes()
    for word in (patient.mrn, "Zebulonova", "Quixotella", "HOSP|ICU", "MSH|"):
        assert word.encode() not in raw
    face, card, messages, section = opened(world, folder / made.file)[patient.subject]
    assert face["unit"] == "HOSP|ICU"
    assert b"Zebulonova" in card
    assert set(patient.messages) < {one.decode() for one in messages}
    assert b"|62|" in messages[patient.messages[-1].encode()]
    assert (section.newest, section.count, section.state) == (patient.messages[-1], 3, "proved")


def test_a_run_is_one_record_with_counts_and_counts_for_nobodys_limit(world, patient, folder):
    before = world.keeper.store.one("SELECT COUNT(*) FROM opening")
    opened_before = len(records(world, "keeper.opened"))
    made = emergency.make(world.keeper, folder)
    said = records(world, "copy.made")[-1]["body"]
    assert (said["run"], said["opened"], said["patients"]) == (made.run, 4, 1)
    assert said["purpose"] == "ETREAT"
    assert world.keeper.store.one("SELECT COUNT(*) FROM opening") == before
    assert len(records(world, "keeper.opened")) == opened_before
    assert patient.mrn not in json.dumps(said)


def test_who_left_and_who_was_erased_are_not_in_it(world, folder, patient):
    gone, erased = emergency.admitted(world.gate), emergency.admitted(world.gate)
    emergency.discharged(world.gate, gone)
    from oathward.vault.keeper import erasing
    from oathward.vault.keeper.proof import Person

    erasing.erase(world.keeper, erased.subject, "test", Person("t", "t"))
    assert set(opened(world, folder / emergency.make(world.keeper, folder).file)) == {patient.subject}
    emergency.discharged(world.gate, erased)


def altered_body(world, message):
    """Put the sealed body of an earlier message of the same patient in place of this one."""
    row = row_of(world, message)
    path = world.site.folder / "bodies"
    [segment] = [
        p for p in path.rglob("*") if p.is_file() and row["store"] in str(p) and _holds(world, p, row)
    ]
    raw = bytearray(segment.read_bytes())
    at = raw.find(world.keeper.bodies.read(_ref(row)))
    assert at > 0
    raw[at + row["length_bytes"] // 2] ^= 1
    segment.write_bytes(bytes(raw))


def _ref(row):
    from oathward.vault.bodies import BodyRef

    return BodyRef(
        *(row["store"], row["segment"], row["offset_bytes"], row["length_bytes"], bytes(row["sha256"]))
    )


def _holds(world, path, row):
    return world.keeper.bodies.read(_ref(row)) in path.read_bytes()


def deleted_row(world, message):
    execute(world, "DELETE FROM kept_body WHERE message = ?", message)


def moved_row(world, message):
    """Let the row lead to another, whole body, digest and all: an older reading in place of the newest."""
    other = emergency.measured(world.gate, "X" + message[-8:], 99)
    new = row_of(world, other.id)
    sql = "UPDATE kept_body SET segment = ?, offset_bytes = ?, length_bytes = ?, sha256 = ? WHERE message = ?"
    execute(world, sql, new["segment"], new["offset_bytes"], new["length_bytes"], new["sha256"], message)


def altered_record(world, message):
    sql = "UPDATE ledger_record SET body = CAST(replace(body, 'mon-1', 'mon-2') AS BLOB) WHERE message = ? AND kind = 'message.accepted'"
    execute(world, sql, message)


def retyped_record(world, message):
    """SQLite lets a column hold anything."""
    execute(world, "UPDATE ledger_record SET body = CAST(body AS TEXT) WHERE message = ?", message)


@pytest.mark.parametrize("harm", [altered_body, deleted_row, moved_row, altered_record, retyped_record])
def test_what_does_not_prove_stays_as_it_was_proved_last_and_is_a_finding(world, folder, patient, harm):
    first = emergency.make(world.keeper, folder)
    newer = emergency.measured(world.gate, patient.mrn, 70)
    saved = row_of(world, newer.id)
    harm(world, newer.id)
    second = emergency.make(world.keeper, folder)
    assert second.states == {"kept": 1}
    before, after = (opened(world, folder / one.file)[patient.subject] for one in (first, second))
    assert after[2] == before[2]
    assert after[3].proved_us == first.made_us < second.made_us, "its age is told"
    finding = records(world, "finding.raised")[-1]
    assert finding["body"]["finding"] == "emergency.not-proved"
    assert (finding["subject"], finding["body"]["messages"]) == (patient.subject, [newer.id])
    _mend(world, saved)


def _mend(world, row):
    """Take the message out of sight, so that other tests have a sound ledger."""
    sql = "UPDATE ledger_record SET body = CAST(replace(body, 'mon-2', 'mon-1') AS BLOB) WHERE message = ?"
    execute(world, sql, row["message"])


def test_without_a_copy_before_it_what_proves_is_there_and_it_says_so(world, folder, patient):
    deleted_row(world, patient.messages[0])
    made = emergency.make(world.keeper, folder)
    assert made.states == {"partly": 1}
    messages = opened(world, folder / made.file)[patient.subject][2]
    assert patient.messages[1].encode() in messages
    assert patient.messages[0].encode() not in messages


def test_turned_off_the_proof_lets_a_changed_record_in(world, folder, patient, monkeypatch):
    """Reverse: it is the proof under the checkpoint that finds it."""
    emergency.make(world.keeper, folder)
    altered_record(world, patient.messages[-1])
    assert emergency.make(world.keeper, folder).states == {"kept": 1}

    def believed(self, db, index):
        from oathward import ledger

        entry = ledger.entry(db, self._site, index)
        return {"kind": entry.kind, "message": entry.message, "subject": entry.subject, "body": entry.body}

    monkeypatch.setattr(proving.Proofs, "record", believed)
    assert emergency.make(world.keeper, folder).states == {"proved": 1}
    _mend(world, row_of(world, patient.messages[-1]))


def test_a_ledger_that_was_cut_makes_no_copy_and_the_last_one_stays(world, folder, patient):
    made = emergency.make(world.keeper, folder)
    meta = world.keeper.store.meta("checkpoint")
    origin, size, root = meta.split("\n")[:3]
    world.keeper.store.set_meta("checkpoint", f"{origin}\n{int(size) + 50}\n{root}\n")
    try:
        with pytest.raises(LedgerError) as no:
            making.make(world.keeper, folder, "test")
    finally:
        world.keeper.store.set_meta("checkpoint", meta)
    assert no.value.reason is Reason.LEDGER_ROLLED_BACK
    assert [p.name for p in folder.iterdir()] == [made.file]
    assert records(world, "copy.refused")[-1]["body"]["why"] == "ledger.rolled-back"


def test_killed_or_full_the_last_good_copy_stays(world, folder, patient, monkeypatch):
    made = emergency.make(world.keeper, folder)
    (folder / ".copy-00000002.oathward.part").write_bytes(b"half of one")
    with monkeypatch.context() as patched:

        def full(self, _):
            raise OSError(28, "No space left on device")

        patched.setattr(copies.Writer, "add", full)
        with pytest.raises(StorageError) as no:
            emergency.make(world.keeper, folder)
    assert no.value.reason is Reason.STORAGE_FULL
    assert [p.name for p in folder.iterdir()] == [made.file], "no half copy is left"
    assert opened(world, folder / made.file)
    assert emergency.make(world.keeper, folder).generation == 2


def test_a_copy_that_was_tampered_with_is_not_taken_from(world, folder, patient):
    first = emergency.make(world.keeper, folder)
    path = folder / first.file
    raw = bytearray(path.read_bytes())
    raw[100] ^= 1
    path.write_bytes(bytes(raw))
    deleted_row(world, patient.messages[0])
    assert emergency.make(world.keeper, folder).states == {"partly": 1}


def test_generations_are_kept_by_number_and_older_ones_go(world, folder, patient):
    names = [emergency.make(world.keeper, folder).file for _ in range(4)]
    assert sorted(p.name for p in folder.iterdir()) == names[-3:]


def test_a_clock_that_went_back_makes_no_older_copy_the_newest(world, folder, patient, monkeypatch):
    first = emergency.make(world.keeper, folder)
    monkeypatch.setattr(world.keeper, "now_us", lambda: first.made_us - 3_600_000_000)
    second = making.make(world.keeper, folder, "test")
    assert second.made_us < first.made_us
    assert (second.generation, max(copies.generations(folder))) == (2, 2)


def test_one_run_at_a_time(world, folder):
    with world.keeper.copying, pytest.raises(KeeperError) as no:
        making.make(world.keeper, folder, "test")
    assert no.value.reason is Reason.CONFLICT


@pytest.mark.parametrize("where", ["relative", "/nowhere/at/all"])
def test_a_folder_that_cannot_be_is_refused(world, where):
    from pathlib import Path

    with pytest.raises(InputError):
        making.make(world.keeper, Path(where), "test")


def test_a_person_who_may_has_one_made_and_gets_nothing_of_it(world, folder, patient):
    with client.connect(world.site.settings, "admin", become=False) as admin:
        emergency.make(world.keeper, folder)
        said = admin.copies.make(folder, world.enter("p-privacy", strong=True))
        assert (folder / said["file"]).exists()
        assert patient.subject not in json.dumps(said)
        for who in ("p-clinician", "p-admin"):
            with pytest.raises(KeeperError) as no:
                admin.copies.make(folder, world.enter(who, strong=True))
            assert no.value.reason is Reason.ACCESS_ROLE


def test_another_key_opens_nothing(world, folder, patient, tmp_path_factory):
    made = emergency.make(world.keeper, folder)
    trust = world.key.trust
    with copies.open_copy(folder / made.file, trust) as copy:
        raw = copy.section(copy.manifest.sections[0])
    with pytest.raises(VaultError):
        sealing.open_parts(bytes(31) + b"\x09", ("section", world.gate.site), raw, 1, "x")
    other = keys.Trust(trust.site, bytes(31) + b"\x09", trust.authority, trust.ledger, None)
    with pytest.raises(VaultError) as no:
        copies.open_copy(folder / made.file, other)
    assert no.value.reason is Reason.EMERGENCY_COPY_BROKEN
