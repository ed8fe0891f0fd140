"""Promises of the outside witness: an old key store does not serve, and the count cannot be talked down."""

import asyncio
import shutil
import threading
import time
from dataclasses import replace

import pytest
from tests.unit.vault import sites
from tests.unit.vault.keeper.test_opening import refused
from tests.unit.vault.keeper.test_server import wait_for
from tests.unit.vault.sites import ME, asking

from oathward.core.errors import AuthorityError, KeeperError
from oathward.core.reasons import Reason
from oathward.ledger import note, witness, witness_server
from oathward.vault.keeper import tombstones, witnessing
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.server import Server
from oathward.vault.sign import Signer, Verifier


class Outside:
    """A witness process's work, in a thread, on a socket of its own."""

    def __init__(self, folder, logs):
        self.folder = folder
        folder.mkdir()
        self.key = Signer.create("witness.example/w1")
        (folder / "key.pub").write_text(note.encode_key(self.key, note.COSIGNATURE))
        for log in logs:
            witness.trust(folder, log.read_text())
        self.address = ""
        self.start()

    def start(self):
        ready = threading.Event()
        self._witness = witness.Witness(self.folder, self.key, Verifier, lambda: int(time.time()))
        self._loop = asyncio.new_event_loop()

        def told(address):
            self.address = address
            ready.set()

        async def go():
            await witness_server.serve(self._witness, self.address or "127.0.0.1:0", told)

        def run():
            asyncio.set_event_loop(self._loop)
            self._task = self._loop.create_task(go())
            try:
                self._loop.run_until_complete(self._task)
            except asyncio.CancelledError:
                pass
            finally:
                self._loop.run_until_complete(self._loop.shutdown_default_executor())
                self._loop.close()

        self._thread = threading.Thread(target=run)
        self._thread.start()
        assert ready.wait(5)

    def stop(self):
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()
        self._witness.close()


@pytest.fixture
def plain(tmp_path):
    return sites.make_site(tmp_path / "data")


@pytest.fixture
def outside(plain, tmp_path):
    made = Outside(
        tmp_path / "w", [plain.data / "trust" / "ledger.pub", plain.data / "trust" / "tombstones.pub"]
    )
    yield made
    if made._thread.is_alive():
        made.stop()


@pytest.fixture
def site(plain, outside):
    public = replace(plain.witness, address=outside.address, public_key_file=str(outside.folder / "key.pub"))
    return replace(plain, witness=public)


def hand_over(site):
    keeper = Keeper(site)
    keeper.ask_witness()
    keeper.close()


def erase(site, *subjects):
    with asking(site, "admin") as admin:
        for subject in subjects:
            admin.erase(subject, "gdpr.art17", ME)


def test_a_restored_data_folder_does_not_serve_until_it_knows_every_erasure(plain, site, tmp_path):
    with sites.gateway(plain) as gate:
        gone = gate.keep("gone", b"x")
    with asking(plain, "admin") as admin:
        admin.open("gone", [gone], "TREAT", ME)
    shutil.copytree(plain.data, tmp_path / "backup")  # the whole folder, list of erasures included
    erase(site, "gone")
    hand_over(site)
    newest_list = tombstones.path_of(site.data).read_bytes()
    shutil.rmtree(plain.data)
    shutil.copytree(tmp_path / "backup", plain.data)
    with asking(plain, "admin") as admin:  # reverse: without the witness the old folder would open it
        assert admin.open("gone", [gone], "TREAT", ME)
    with pytest.raises(KeeperError) as caught:
        Keeper(site)
    assert caught.value.reason is Reason.CONFLICT
    assert "the witness knows 1" in caught.value.why
    tombstones.path_of(site.data).write_bytes(newest_list)
    with asking(site, "admin") as admin:
        assert refused(lambda: admin.open("gone", [gone], "TREAT", ME)) is Reason.KEY_DESTROYED


def test_other_erasures_than_the_witness_knows_are_an_old_copy_too(plain, site, tmp_path):
    shutil.copytree(plain.data, tmp_path / "backup")
    erase(site, "a")
    hand_over(site)
    shutil.rmtree(plain.data)
    shutil.copytree(tmp_path / "backup", plain.data)
    erase(plain, "b")  # as many, but others
    with pytest.raises(KeeperError, match="other erasures"):
        Keeper(site)


def test_nothing_is_opened_before_the_witness_was_asked_and_sealing_goes_on(plain, site, outside):
    outside.stop()
    with sites.gateway(site) as gate:
        one = gate.keep("s", b"x")
        with asking(site, "admin") as admin:
            assert admin.state()["witness"] == "not asked"
            assert refused(lambda: admin.open("s", [one], "TREAT", ME)) is Reason.KEEPER_UNAVAILABLE
            outside.start()
            admin._transport._keeper.ask_witness()
            assert admin.open("s", [one], "TREAT", ME)
            assert admin.state()["witness"] == "asked"


def test_a_running_keeper_has_ledger_and_erasures_cosigned(site, outside):
    serving = Server(site)
    with asking(site, "admin") as admin:
        for subject in ("a", "b"):
            admin.erase(subject, "gdpr.art17", ME)

    def sizes():
        found = {}
        for signed in witness.held(outside.folder):
            origin, size, *_ = signed.split("\n")
            found[origin.rpartition("/")[2] == "tombstones"] = int(size)
        return found

    wait_for(lambda: sizes().get(True) == 2 and sizes().get(False, 0) >= 5, 10)
    serving.stop()
    hand_over(site)


def test_a_witness_key_that_is_not_configured_is_not_believed(site, tmp_path):
    erase(site, "a")
    hand_over(site)
    other = tmp_path / "other.pub"
    other.write_text(note.encode_key(Signer.create("witness.example/w1"), note.COSIGNATURE))
    wrong = replace(site, witness=replace(site.witness, public_key_file=str(other)))
    with pytest.raises(AuthorityError):
        Keeper(wrong)


@pytest.mark.parametrize("count", [0, 1, 2, 255, 256, 257, 700])
def test_the_tree_of_erasures_proves_what_it_says(count):
    from oathward.ledger import merkle

    leaves = tuple(bytes([n % 256, n // 256]) * 16 for n in range(count))
    tree = witnessing.Tree("o", leaves)
    for old in {0, 1, count // 2, max(count - 1, 0), count}:
        if old <= count:
            proof = tree.consistency(old)
            merkle.check_consistency(old, count, tree.at(old).root, tree.at(count).root, proof)
