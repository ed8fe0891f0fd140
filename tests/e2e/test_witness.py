"""The witness as a program: over TCP and a Unix socket, killed and started again, with curl as a stranger."""

import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.unit.ledger import sample
from tests.unit.ledger.sample import LOG, SITE

from oathward.core.db import read, write
from oathward.core.errors import LedgerError
from oathward.core.reasons import Reason
from oathward.ledger import append, checkpoint, head, note, prepare, verify, witness, witness_client
from oathward.vault.sign import Verifier

ENTRY = (sys.executable, "-m", "oathward.cli", "witness")


@contextmanager
def running(folder, listen, *options):
    """Start a witness; gives (address, its verifier, the process)."""
    command = [*ENTRY, "--data", str(folder), "--listen", listen, *options, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = ""
            while not said.endswith("}\n"):
                line = process.stdout.readline()
                assert line, "the witness ended"
                said += line
            ready = json.loads(said)
            name, kind, public = note.decode_key(ready["key"])
            assert kind == note.COSIGNATURE
            yield ready, Verifier(name, public), process
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "w"
    witness.trust(folder, note.encode_key(LOG))
    return folder


@pytest.fixture
def engine(tmp_path):
    engine = sample.open_ledger(tmp_path)
    sample.add(engine, 300)
    sample.sign(engine)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "unix:"])
def test_cosigned_over_a_socket_and_found_by_verify(engine, folder, tmp_path, listen):
    with running(folder, listen + (str(tmp_path / "s") if listen == "unix:" else "")) as (
        ready,
        key,
        _process,
    ):
        address = ready["address"]
        with write(engine) as db:
            assert checkpoint.latest(db, SITE).size == 300
        assert witness_client.cosign_latest(engine, SITE, address, key) == 300
        sample.add(engine, 300, 300)
        sample.sign(engine)
        assert (
            witness_client.cosign_latest(engine, SITE, address, key) == 600
        )  # a wrong guess of the old size
        assert witness_client.cosign_latest(engine, SITE, address, key, old=600) == 600
        held = witness_client.ask_held(address, "oathward/ward")
        with pytest.raises(LedgerError) as error:
            witness_client.ask_held(address, "oathward/other")
        assert error.value.reason is Reason.NOT_FOUND
    report = verify.verify_database(engine, SITE, verify.Keys([LOG], [key]), held=[held])
    assert [p for p in report.problems if "another log" not in p.why] == []
    assert (report.cosigned, report.witnessed_size) == (2, 600)


def test_a_ledger_that_was_cut_back_is_told_so(engine, folder, tmp_path):
    backup = tmp_path / "backup.db"
    engine.dispose()
    shutil.copy(tmp_path / "ledger.db", backup)
    with running(folder, "127.0.0.1:0") as (ready, key, _process):
        sample.add(engine, 10, 300)
        sample.sign(engine)
        witness_client.cosign_latest(engine, SITE, ready["address"], key)
        engine.dispose()
        for left in tmp_path.glob("ledger.db*"):
            left.unlink()
        shutil.copy(backup, tmp_path / "ledger.db")
        with pytest.raises(witness_client.ConflictError) as error:
            witness_client.cosign_latest(engine, SITE, ready["address"], key)
        assert (error.value.reason, error.value.size) == (Reason.LEDGER_ROLLED_BACK, 310)
        with write(engine) as db:  # somebody writes another history, longer than the first
            append(db, SITE, [prepare(sample.record(n, other=True)) for n in range(50)])
        sample.sign(engine)
        with pytest.raises(LedgerError) as error:
            witness_client.cosign_latest(engine, SITE, ready["address"], key, old=310)
        assert error.value.reason is Reason.LEDGER_FORKED
    done = subprocess.run([*ENTRY, "show", "--data", folder, "--json"], capture_output=True, check=False)
    shown = json.loads(done.stdout)
    assert done.returncode == Reason.LEDGER_FORKED.answer.exit_code
    assert [held["size"] for held in shown["held"]] == [310]
    (fork,) = shown["evidence"]
    assert fork["submitted"].split("\n")[1] == "350"
    words = subprocess.run([*ENTRY, "show", "--data", folder], capture_output=True, text=True, check=False)
    assert "FORK     oathward/ward: checkpoints of 310 and 350 records" in words.stdout


def test_killed_it_holds_what_it_cosigned(engine, folder):
    with running(folder, "127.0.0.1:0") as (ready, key, process):
        stop = threading.Event()

        def keep_submitting():
            n = 300
            while not stop.is_set():
                sample.add(engine, 1, n)
                sample.sign(engine)
                n += 1
                try:
                    cosigned.append(
                        witness_client.cosign_latest(engine, SITE, ready["address"], key, timeout_s=2)
                    )
                except LedgerError:
                    return

        cosigned = []
        thread = threading.Thread(target=keep_submitting)
        thread.start()
        deadline = time.monotonic() + 20
        while len(cosigned) < 20 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        thread.join(10)
        stop.set()
    with running(folder, "127.0.0.1:0") as (ready, key, _process):
        (held,) = witness.held(folder)
        size = checkpoint.parse(note.split(held)[0]).size
        assert size >= cosigned[-1] >= 320
        assert witness_client.cosign_latest(engine, SITE, ready["address"], key) >= size


def test_hostile_connections_do_not_stop_it(engine, folder):
    with running(folder, "127.0.0.1:0") as (ready, key, _process):
        host, port = ready["address"].split(":")
        waiting = [socket.create_connection((host, int(port)), 5) for _ in range(100)]  # says nothing, ever
        for line in waiting[:64]:
            line.send(b"POST /add")
        for line in waiting:
            line.close()
        for raw in (
            b"\0" * 100_000,
            b"GET / HTTP/1.1\r\n\r\n",
            b"POST /add-checkpoint HTTP/1.1\r\n\r\n",
            b"",
        ):
            with socket.create_connection((host, int(port)), 5) as line:
                line.sendall(raw)
                line.shutdown(socket.SHUT_WR)
                try:
                    answer = line.recv(65_536)
                except ConnectionResetError:
                    answer = b""
                assert answer[:12] in (b"", b"HTTP/1.1 404", b"HTTP/1.1 400", b"HTTP/1.1 413")
        assert witness_client.cosign_latest(engine, SITE, ready["address"], key) == 300


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl here")
def test_curl_can_submit(engine, folder, tmp_path):
    with read(engine) as db:
        kept = checkpoint.latest(db, SITE)
        root = head(db, SITE).root
    assert checkpoint.read_note(kept.note, [LOG]).root == root
    (tmp_path / "body").write_bytes(witness.format_submission(0, [], kept.note))
    with running(folder, "127.0.0.1:0") as (ready, key, _process):
        base = f"http://{ready['address']}"
        done = subprocess.run(
            ["curl", "-sS", "-w", "%{http_code}", "--data-binary", f"@{tmp_path / 'body'}", f"{base}/add-checkpoint"],
            capture_output=True, text=True, check=True, timeout=20,
        )  # fmt: skip
        assert done.stdout.endswith("200")
        lines = note.parse_lines(done.stdout.removesuffix("200"))
        assert note.check_cosignature(note.split(kept.note)[0], lines, key)
        url = f"{base}/{witness.origin_hash('oathward/ward')}/checkpoint"
        done = subprocess.run(["curl", "-sS", url], capture_output=True, text=True, check=True, timeout=20)
        assert done.stdout.startswith(kept.note)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change to another user")
def test_it_runs_as_another_user():
    folder = Path(tempfile.mkdtemp(prefix="oathward-witness-"))
    try:
        folder.chmod(0o755)
        with running(folder / "w", "127.0.0.1:0", "--user", "nobody") as (ready, _key, process):
            assert ready["user"] == "nobody"
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert f"Uid:\t{pwd.getpwnam('nobody').pw_uid}\t" in status
            mode = (folder / "w" / "key").stat()
            assert (mode.st_uid, stat.S_IMODE(mode.st_mode)) == (pwd.getpwnam("nobody").pw_uid, 0o600)
    finally:
        shutil.rmtree(folder)


def test_a_second_one_on_the_same_folder_is_refused(folder):
    with running(folder, "127.0.0.1:0"):
        done = subprocess.run([*ENTRY, "--data", folder, "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=30, check=False)  # fmt: skip
        assert done.returncode == Reason.STORAGE_FAILED.answer.exit_code
        assert "another witness" in done.stderr
