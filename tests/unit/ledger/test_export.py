"""An export and a proof stand alone: they verify without the database, and changes in them are found."""

import json

import pytest
from tests.unit.ledger import sample
from tests.unit.ledger.sample import KEYS, LOG, SITE

from oathward.core.db import read
from oathward.core.errors import AuthorityError, InputError, LedgerError, OathwardError
from oathward.core.reasons import Reason
from oathward.ledger import export, merkle, note, offline
from oathward.ledger.verify import Keys
from oathward.vault.sign import Signer


@pytest.fixture
def exported(engine, folder, monkeypatch):
    monkeypatch.setattr(export, "RECORDS_PER_FILE", 300)
    export.export(engine, SITE, folder / "out", [note.encode_key(LOG)])
    return folder / "out"


def test_an_export_verifies_alone(exported, folder):
    (folder / "ledger.db").unlink()
    report = export.verify_export(exported, KEYS, held=[(folder / "last").read_text()])
    assert report.problems == ()
    assert (report.size, report.signed_size, report.checkpoints) == (700, 660, 4)
    assert report.removed == {"retention/90-days": 4}
    assert (report.facts, report.facts_removed) == (4, 1)


def test_the_tiles_are_those_of_tlog_tiles(exported):
    """The paths a tlog client of the last signed size 660, and of 700, asks for."""
    wanted = {
        "tile/0/000", "tile/0/001", "tile/0/002.p/148", "tile/0/002.p/188", "tile/1/000.p/2",
    }  # fmt: skip
    assert {str(p.relative_to(exported)) for p in exported.rglob("tile/**/*") if p.is_file()} == wanted
    assert (exported / "checkpoint").read_text().split("\n")[1] == "660"
    assert export.tile_path(0, 1_234_067) == "tile/0/x001/x234/067"

    def tile(level, index):
        path = exported / export.tile_path(level, index)
        return max(
            (p.read_bytes() for p in (path, *path.parent.glob(f"{path.name}.p/*")) if p.is_file()), key=len
        )

    signed = export.checkpoint.read_note((exported / "checkpoint").read_text(), [LOG])
    assert merkle.root_at(tile, 660) == signed.root


def edit(path, line, change):
    lines = path.read_text().splitlines()
    value = json.loads(lines[line])
    change(value)
    lines[line] = json.dumps(value)
    path.write_text("\n".join(lines) + "\n")


def drop(path, line):
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:line] + lines[line + 1 :]) + "\n")


def flip_tile(path):
    raw = bytearray(path.read_bytes())
    raw[40] ^= 1
    path.write_bytes(raw)


RECORDS = "records-000000000300.jsonl"


@pytest.mark.parametrize(
    ("attack", "index"),
    [
        (lambda d: edit(d / RECORDS, 20, lambda v: v.update(body=v["body"].replace("320", "321"))), 320),
        (lambda d: edit(d / RECORDS, 20, lambda v: v.update(salt="00" * 16)), 320),
        (lambda d: edit(d / RECORDS, 20, lambda v: v.update(leaf="00" * 32)), 320),
        (lambda d: edit(d / RECORDS, 20, lambda v: v.update(i=321)), 320),
        (lambda d: edit(d / RECORDS, 20, lambda v: v.update(body=None, rule="r", removed_by=400)), 320),
        (lambda d: drop(d / RECORDS, 20), 320),
        (lambda d: drop(d / "records-000000000600.jsonl", 99), 699),
        (lambda d: (d / RECORDS).unlink(), 300),
        (lambda d: (d / "records-000000000600.jsonl").unlink(), 600),
        (lambda d: edit(d / "facts.jsonl", 0, lambda v: v.update(body="{}", rule=None)), None),
        (lambda d: drop(d / "facts.jsonl", 0), None),
        (lambda d: edit(d / "checkpoints.jsonl", 1, lambda v: v.update(size=401)), None),
        (lambda d: edit(d / "checkpoints.jsonl", 1, lambda v: v.update(note=v["note"].replace("400", "401"))), None),
        (lambda d: drop(d / "checkpoints.jsonl", 1), None),
        (lambda d: drop(d / "checkpoints.jsonl", 3), None),
        (lambda d: flip_tile(d / "tile/0/001"), None),
        (lambda d: flip_tile(d / "tile/0/002.p/188"), None),
        (lambda d: flip_tile(d / "tile/0/002.p/148"), None),
        (lambda d: flip_tile(d / "tile/1/000.p/2"), None),
    ],
)  # fmt: skip
def test_a_change_in_an_export_is_found(exported, attack, index):
    attack(exported)
    report = export.verify_export(exported, KEYS)
    assert not report.ok
    if index is not None:
        assert report.first_bad_index == index


def manifest(folder, **changes):
    path = folder / "ledger.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("changes", [{"size": 699}, {"size": 701}, {"origin": "x"}, {"checkpoints": 3}])
def test_a_changed_manifest_is_found(exported, changes):
    manifest(exported, **changes)
    assert not export.verify_export(exported, KEYS).ok


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: (d / "ledger.json").unlink(),
        lambda d: (d / "ledger.json").write_text("[]"),
        lambda d: (d / "ledger.json").write_text("{"),
        lambda d: manifest(d, format=2),
        lambda d: manifest(d, size="700"),
        lambda d: (d / RECORDS).write_text("{}\n"),
        lambda d: (d / RECORDS).write_text("null\n"),
        lambda d: (d / "facts.jsonl").write_text("{}\n"),
        lambda d: (d / "facts.jsonl").unlink(),
        lambda d: (d / "checkpoints.jsonl").write_text("[]\n"),
        lambda d: (d / "checkpoints.jsonl").write_text("x\n"),
    ],
)
def test_a_folder_that_is_no_export_is_refused(exported, spoil):
    spoil(exported)
    with pytest.raises(LedgerError):
        export.verify_export(exported, KEYS)


def test_an_export_never_goes_into_a_folder_with_something_in_it(engine, folder):
    with pytest.raises(InputError):
        export.export(engine, SITE, folder)


def test_a_removal_during_the_export_is_exported_with_its_record(engine, folder, monkeypatch):
    from oathward.core.db import write
    from oathward.ledger import remove_body

    real = export.DatabaseSource.rows

    def race(self, start, stop):
        monkeypatch.setattr(export.DatabaseSource, "rows", real)
        with write(engine) as db:
            remove_body(db, SITE, 10, "erasure/art-17", 1)
        return real(self, start, stop)

    monkeypatch.setattr(export.DatabaseSource, "rows", race)
    assert export.export(engine, SITE, folder / "out") == 701
    assert export.verify_export(folder / "out", KEYS).problems == ()


def prove(engine, index):
    with read(engine) as db:
        return offline.prove(db, SITE, index)


@pytest.mark.parametrize("index", [0, 1, 255, 256, 400, 659])
def test_a_proof_stands_alone(engine, index):
    proved = offline.check_proof(prove(engine, index), KEYS)
    assert (proved.index, proved.size, proved.origin) == (index, 660, LOG.name)
    assert list(proved.cosigned_s) == ["witness.test/w1"]
    if index == 1:
        assert proved.record["body"]["n"] == 1


@pytest.mark.parametrize(("index", "why"), [(660, "checkpoint"), (700, "no such"), (5, "retention/90-days")])
def test_what_cannot_be_proved_says_why(engine, index, why):
    with pytest.raises(LedgerError, match=why) as error:
        prove(engine, index)
    assert error.value.reason is Reason.NOT_FOUND


def test_every_changed_line_of_a_proof_is_refused(engine):
    proof = prove(engine, 300)
    lines = proof.split("\n")
    for number, line in enumerate(lines[:-2]):
        for changed in (line[:-1], line + "A", line[::-1], line.replace("3", "4")):
            if changed == line:
                continue
            with pytest.raises(OathwardError):
                offline.check_proof("\n".join([*lines[:number], changed, *lines[number + 1 :]]), KEYS)


@pytest.mark.parametrize(
    "bad", ["", "x", offline.HEADER, "x" * 300_000, f"{offline.HEADER}\nextra \nindex 0\n\n"]
)
def test_what_is_no_proof_is_refused(bad):
    with pytest.raises(OathwardError):
        offline.check_proof(bad, KEYS)


def test_a_proof_of_another_log_is_refused(engine):
    with pytest.raises(AuthorityError):
        offline.check_proof(prove(engine, 3), Keys([Signer(LOG.name, b"\x05" * 32)]))


def test_two_files_of_records_meet_without_a_gap(engine, folder, monkeypatch):
    monkeypatch.setattr(export, "RECORDS_PER_FILE", 100)
    sample.sign(engine)
    export.export(engine, SITE, folder / "out")
    assert len(list((folder / "out").glob("records-*"))) == 7
    assert export.verify_export(folder / "out", KEYS).problems == ()
