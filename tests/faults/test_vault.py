"""kill -9 at every named place of the keeper, at random while bodies are written, and a real full disk."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from tests.unit.vault import sites
from tests.unit.vault.keeper.test_opening import records, refused
from tests.unit.vault.sites import ME, asking

from oathward.core.db import connect, read
from oathward.core.errors import StorageError
from oathward.core.reasons import Reason
from oathward.ledger import checkpoint
from oathward.vault.bodies import BodyRef, SegmentReader, SegmentStore, scan
from oathward.vault.keeper import site_key, tombstones

KEEPER = """
import sys
from oathward.core.settings import load
from oathward.vault.keeper import client
from oathward.vault.keeper.checkpoints import sign_next
from oathward.vault.keeper.proof import admin_proof
with client.connect(load(sys.argv[1]), "admin") as admin:
    ME = admin_proof("ada")
    {act}
print("lived")
"""

ACTS = {
    "site-key.written": "admin.rotate_site_key(ME)",
    "site-key.rewrapped": "admin.rotate_site_key(ME)",
    "site-key.switched": "admin.rotate_site_key(ME)",
    "site-key.overwritten": "admin.rotate_site_key(ME)",
    "site-key.destroyed": "admin.rotate_site_key(ME)",
    "erase.deleted": "admin.erase('gone', 'gdpr.art17', ME)",
    "erase.committed": "admin.erase('gone', 'gdpr.art17', ME)",
    "erase.published": "admin.erase('gone', 'gdpr.art17', ME)",
    "intake.taken": "admin.open('late', sys.argv[2:], 'TREAT', ME)",
    "intake.stored": "admin.open('late', sys.argv[2:], 'TREAT', ME)",
    "checkpoint.decided": "sign_next(admin._transport._keeper)",
}


def act(site, place: str, *arguments: str, killed: bool) -> None:
    code = KEEPER.format(act=ACTS[place])
    environment = os.environ | ({"OATHWARD_KILL_AT": place} if killed else {})
    run = subprocess.run(
        [sys.executable, "-c", code, str(site.data), *arguments],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == (-signal.SIGKILL if killed else 0), run.stderr
    assert ("lived" in run.stdout) is not killed


@pytest.mark.parametrize("place", ACTS)
def test_killed_at_any_place_the_keeper_recovers(tmp_path, place):
    site = sites.make_site(tmp_path / "data")
    with sites.gateway(site) as gate, asking(site, "admin") as admin:
        messages = {s: gate.keep(s, s.encode()) for s in ("gone", "stays")}
        for subject, message in messages.items():
            admin.open(subject, [message], "TREAT", ME)
        gate.sealer.forget()
        late = gate.keep("late", b"late")  # its key is on its way still
    first_key = site_key.load(site.keeper_folder, 1)
    act(site, place, late, killed=True)

    with asking(site, "admin") as admin:
        # Whatever the moment: what was kept opens, with one site key and one only.
        assert admin.open("stays", [messages["stays"]], "TREAT", ME)[0].data.reveal() == b"stays"
        assert len(list(site.keeper_folder.glob("site-*.key"))) == 1
        assert not list(site.keeper_folder.glob(".*.part"))
        if place.startswith("erase"):
            begun = place != "erase.deleted"  # before the commit nothing happened
            gone = lambda: admin.open("gone", [messages["gone"]], "TREAT", ME)  # noqa: E731  short
            if begun:
                assert refused(gone) is Reason.KEY_DESTROYED
            else:
                assert gone()
            assert tombstones.path_of(site.data).exists() is begun
    act(site, place, late, killed=False)
    with asking(site, "admin") as admin:
        state = admin.state()
        assert admin.open("late", [late], "TREAT", ME)[0].data.reveal() == b"late"
        if place.startswith("erase"):
            assert state["tombstones"] == 1
            assert len(tombstones.path_of(site.data).read_bytes().splitlines()) == 1
            assert [r["body"]["tombstone"] for r in records(site, "key.destroyed")] == [1]
            assert (
                refused(lambda: admin.open("gone", [messages["gone"]], "TREAT", ME)) is Reason.KEY_DESTROYED
            )
        if place.startswith("site-key"):
            raw = b"".join(p.read_bytes() for p in site.keeper_folder.rglob("*") if p.is_file())
            assert first_key not in raw
    if place.startswith("checkpoint"):
        engine = connect(site.database_url)
        with read(engine) as db:
            sizes = [k.size for k in checkpoint.page(db, "demo", -1)]
        engine.dispose()
        assert sizes == sorted(set(sizes))
        assert sizes


WRITER = """
import os, sys
from pathlib import Path
from oathward.vault.bodies import SegmentStore
store = SegmentStore(Path(sys.argv[1]), "kept", "gateway", segment_bytes_max=50_000)
number = int(sys.argv[2])
while True:
    bodies = [(b"%d." % number) * 200 for number in range(number, number + 5)]
    refs = store.append(bodies)
    store.flush()
    for ref in refs:
        sys.stdout.write(f"{number} {ref.id} {ref.offset} {ref.length} {ref.sha256.hex()}\\n")
        number += 1
    sys.stdout.flush()
"""


def test_killed_at_random_no_flushed_body_is_lost(tmp_path):
    """What the writer told of stays readable over many kills; the rest of the files is whole or discarded."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    told: dict[int, BodyRef] = {}
    for _ in range(8):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(max(told, default=-1) + 1)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        first = writer.stdout.readline()
        time.sleep(chance.random() * 0.05)
        writer.kill()
        lines = [first, *writer.stdout.read().splitlines(keepends=True)]
        writer.stdout.close()
        writer.wait()
        for line in lines:
            if line.endswith("\n"):
                number, segment, offset, length, digest = line.split()
                told[int(number)] = BodyRef(
                    "kept/gateway", int(segment), int(offset), int(length), bytes.fromhex(digest)
                )
        store = SegmentStore(tmp_path, "kept", "gateway")
        last = max(told.values(), key=lambda ref: (ref.id, ref.offset))
        store.discard_tail(last)
        assert all(good for _, path in store.segments() for _, _, good in scan(path))
        for number, ref in told.items():
            assert store.read(ref) == (b"%d." % number) * 200
        store.close()
    assert len(told) > 40
    reader = SegmentReader(tmp_path)
    assert all(reader.read(ref) for ref in told.values())
    reader.close()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB, where we may mount one."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("may not mount a small file system here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_refuses_and_recovers_without_help(small_disk):
    store = SegmentStore(small_disk / "bodies", "kept", "gateway")
    refs, reasons, full = [], set(), 0
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(400_000))
    for n in range(300):
        try:
            refs.append((n, *store.append([b"%06d" % n * 1_000])))
            store.flush()
        except StorageError as error:
            reasons.add(error.reason)
            full += 1
            if full == 3:
                ballast.unlink()
            if full > 6:
                break
    assert full > 6
    assert reasons == {Reason.STORAGE_FULL}
    assert any(n > 100 for n, _ in refs), "it went on by itself when there was space"
    for n, ref in refs:
        assert store.read(ref) == b"%06d" % n * 1_000
    assert all(good for _, path in store.segments() for _, _, good in scan(path))
    assert sum(1 for _, path in store.segments() for _ in scan(path)) == len(refs)
    store.close()


def test_a_keeper_on_a_full_disk_refuses_and_recovers(small_disk):
    # Two databases with all their tables have to fit before it is filled.
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True, capture_output=True)
    site = sites.make_site(small_disk / "data")
    with asking(site, "gateway") as gate:
        seed = gate.seed("s", "p")
        ballast = small_disk / "ballast"
        left = os.statvfs(small_disk)
        ballast.write_bytes(bytes(left.f_bavail * left.f_bsize))
        reasons = {refused(lambda n=n: gate.seed(f"new-{n}-{'x' * 40}", "p")) for n in range(3)}
        assert reasons <= {Reason.STORAGE_FULL, Reason.STORAGE_FAILED}
        assert gate.seed("s", "p") == seed
        ballast.unlink()
        assert gate.seed("new", "p") == gate.seed("new", "p")
