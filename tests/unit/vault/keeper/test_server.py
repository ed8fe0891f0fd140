"""Promises of the keeper's doors: who may come in, what a hostile caller can do (nothing), what a client sees."""

import dataclasses
import os
import pwd
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import orjson
import pytest
from tests.unit.vault import sites
from tests.unit.vault.keeper.test_opening import change, records, refused
from tests.unit.vault.sites import ME

from oathward.core.errors import KeeperError, SettingsError
from oathward.core.process import statuses
from oathward.core.reasons import Reason
from oathward.core.settings import load
from oathward.vault.keeper import client, server, setup
from oathward.vault.keeper.client import frames
from oathward.vault.keeper.operations import table as operations
from oathward.vault.keeper.server import Server


@pytest.fixture
def serving(site):
    made = Server(site)
    yield made
    made.stop()


def dial(site, role: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(site.run_folder, os.O_RDONLY)
    sock.connect(frames.short_path(folder, f"keeper-{role}.sock"))
    os.close(folder)
    sock.settimeout(5)
    return sock


def say(sock: socket.socket, raw: bytes):
    """Send one frame of raw bytes; gives the answer, or None when the door closed."""
    try:
        sock.sendall(struct.pack(">I", len(raw)) + raw)
        return frames.receive(sock, bytes_max=1 << 20, wait_s=5)
    except OSError:
        return None


def ask(**value) -> bytes:
    return orjson.dumps(value)


def test_whoever_signs_in_holds_up_nobody_else_at_the_console(site, serving, monkeypatch):
    """A password's hash takes tens of milliseconds; other people's requests go on meanwhile."""
    begun, let_go = threading.Event(), threading.Event()
    real = operations.TABLES["any"]["state"]

    def slow(keeper, caller):
        begun.set()
        assert let_go.wait(10)
        return real.run(keeper, caller)

    table = dict(operations.TABLES["any"]) | {"state": operations.Operation(slow, real.arguments)}
    monkeypatch.setitem(operations.TABLES, "any", table)
    with client.connect(site, "app") as app:
        waiting = threading.Thread(target=app.state)
        waiting.start()
        assert begun.wait(10)
        assert app.newest() == {}
        let_go.set()
        waiting.join(10)
        assert not waiting.is_alive()


def test_a_client_uses_the_socket_where_a_keeper_runs(site, serving):
    with client.connect(site, "gateway") as gate, client.connect(site, "admin") as admin:
        assert gate.seed("s", "p") == gate.seed("s", "p")
        assert admin.state()["subjects"] == 1
        assert isinstance(gate._transport, client.SocketTransport)
        with sites.gateway(site, gate) as sealing:
            one = sealing.keep("s", b"MSH|")
        assert admin.open("s", [one], "TREAT", ME)[0].data.reveal() == b"MSH|"
    with pytest.raises(KeeperError) as caught:
        server.Keeper(site)
    assert caught.value.reason is Reason.CONFLICT


def test_sockets_are_for_their_owner_alone(site, serving):
    for role in server.ROLES:
        path = frames.socket_path(site, role)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.stat().st_uid == os.geteuid()
    assert sorted(p.name for p in site.run_folder.glob("*.sock")) == [
        f"keeper-{r}.sock" for r in sorted(server.ROLES)
    ]


HOSTILE = [
    (ask(op="hello", args=[]), Reason.INPUT_INVALID),
    (ask(op="hello", args={"x": 1}), Reason.INPUT_INVALID),
    (ask(op="hello"), Reason.INPUT_INVALID),
    (ask(op="hello", args={}, more=1), Reason.INPUT_INVALID),
    (ask(op=["hello"], args={}), Reason.INPUT_INVALID),
    (ask(op=None, args={}), Reason.INPUT_INVALID),
    (ask(op="", args={}), Reason.NOT_PERMITTED),
    (ask(op="__class__", args={}), Reason.NOT_PERMITTED),
    (ask(op="open", args={}), Reason.NOT_PERMITTED),
    (ask(op="sign_authority", args={}), Reason.NOT_PERMITTED),
    (b"[]", Reason.INPUT_INVALID),
    (b"null", None),
    (b"1e999", None),
    (b'"' + b"x" * 1000 + b'"', Reason.INPUT_INVALID),
    (ask(op="seeds", args={"pairs": []}), Reason.INPUT_INVALID),
    (ask(op="seeds", args={"pairs": [["a"]]}), Reason.INPUT_INVALID),
    (ask(op="seeds", args={"pairs": [["a", 1]]}), Reason.INPUT_INVALID),
    (ask(op="seeds", args={"pairs": [["a", ""]]}), Reason.INPUT_INVALID),
    (ask(op="seeds", args={"pairs": [["a", "p" * 65]]}), Reason.INPUT_INVALID),
    (ask(op="seeds", args={"pairs": [["a\x00", "p"]]}), Reason.INPUT_INVALID),
    (ask(op="seeds", args={"pairs": [["a", "p"]] * 257}), Reason.INPUT_INVALID),
    (ask(op="seeds", args={"pairs": {"a": "p"}}), Reason.INPUT_INVALID),
    (ask(op="device_key", args={"project": True}), Reason.INPUT_INVALID),
    (ask(op="newest", args={"after": ["", "", ""]}), Reason.INPUT_INVALID),
    (b"{", None),
    (b"", None),
    (b"\xff\xfe", None),
    (b'{"op":"hello","args":{}}x', None),
    (b"[" * 100_000, None),
    (b'{"op":"hello","args":{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}}", None),
    (b'{"op":"hello","args":NaN}', None),
]


@pytest.mark.parametrize(("raw", "reason"), HOSTILE)
def test_a_hostile_request_is_refused_or_cut_off_and_hurts_nobody(site, serving, raw, reason):
    sock = dial(site, "gateway")
    answer = say(sock, raw)
    if reason is None:
        assert answer is None or answer["refused"]["reason"] == Reason.INPUT_INVALID.code
    else:
        assert answer["refused"]["reason"] == reason.code
        assert say(sock, ask(op="hello", args={}))["ok"]  # a refused caller may go on
    sock.close()
    other = dial(site, "gateway")
    assert say(other, ask(op="hello", args={}))["ok"]
    other.close()


ADMIN_HOSTILE = [
    ("open", {"subject": "s", "messages": ["m"] * 501, "purpose": "TREAT", "proof": {}}),
    ("open", {"subject": "s", "messages": [], "purpose": "TREAT", "proof": {}}),
    ("open", {"subject": "s", "messages": ["m"], "purpose": "TREAT", "proof": []}),
    ("open", {"subject": "s", "messages": ["m"], "purpose": "TREAT", "proof": {"a": 1}}),
    ("open", {"subject": "s", "messages": ["m"], "purpose": "TREAT", "proof": {"a": "x" * 9_000}}),
    ("open", {"subject": "", "messages": ["m"], "purpose": "TREAT", "proof": {}}),
    ("erase", {"subject": "s", "reason": "", "proof": {}}),
    ("erase", {"subject": "s", "reason": "x\ny", "proof": {}}),
    ("sign_authority", {"documents": [], "approvals": []}),
    ("sign_authority", {"documents": [{"kind": "a", "id": "b", "version": -1, "body": ""}], "approvals": []}),
    (
        "sign_authority",
        {"documents": [{"kind": "a", "id": "b", "version": True, "body": ""}], "approvals": []},
    ),
    (
        "sign_authority",
        {"documents": [{"kind": "a", "id": "b", "version": 1.5, "body": ""}], "approvals": []},
    ),
    (
        "sign_authority",
        {"documents": [{"kind": "a", "id": "b", "version": 2**60, "body": ""}], "approvals": []},
    ),
    ("sign_authority", {"documents": [{"kind": "a", "id": "b", "version": 1, "body": "!"}], "approvals": []}),
    ("sign_authority", {"documents": [{"kind": "a", "id": "b", "version": 1}], "approvals": []}),
    ("certify", {"kind": "device", "names": ["d"], "public": "AAAA" * 500, "proof": {}}),
    ("rotate_exchange", {"kind": "site", "proof": dict(ME)}),
]


@pytest.mark.parametrize(("op", "arguments"), ADMIN_HOSTILE)
def test_misshapen_arguments_of_an_admin_are_refused_by_name(site, serving, op, arguments):
    sock = dial(site, "admin")
    answer = say(sock, ask(op=op, args=arguments))
    assert answer["refused"]["reason"] == Reason.INPUT_INVALID.code
    assert answer["refused"]["where"]
    sock.close()


def test_a_frame_too_long_is_refused_before_it_is_read(site, serving):
    sock = dial(site, "gateway")
    sock.sendall(struct.pack(">I", 2**32 - 1))
    assert sock.recv(10) == b""
    sock.close()


def test_a_frame_that_trickles_is_cut_off(site, serving, monkeypatch):
    monkeypatch.setattr(frames.receive, "__kwdefaults__", {"time_s": 0.3})
    sock = dial(site, "gateway")
    sock.sendall(struct.pack(">I", 100))
    began_s = time.monotonic()
    try:
        for _ in range(50):
            sock.sendall(b"[")
            time.sleep(0.05)
    except OSError:
        pass
    assert time.monotonic() - began_s < 2
    sock.close()


def test_connections_of_one_role_cannot_starve_another(site, serving, monkeypatch):
    held = [dial(site, "gateway") for _ in range(server.CONNECTIONS_PER_ROLE_MAX)]
    for sock in held:
        assert say(sock, ask(op="hello", args={}))["ok"]
    more = dial(site, "gateway")
    assert say(more, ask(op="hello", args={})) is None
    courier = dial(site, "courier")
    assert say(courier, ask(op="outbox_keys", args={}))["ok"]
    for sock in (*held, more, courier):
        sock.close()
    for _ in range(100):
        again = dial(site, "gateway")
        if say(again, ask(op="hello", args={})):
            break
        again.close()
        time.sleep(0.02)
    else:
        pytest.fail("the door stays shut after the crowd has left")
    again.close()


STRANGER = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
sock = socket.socket(socket.AF_UNIX)
try:
    sock.connect(sys.argv[1])
    sock.sendall(b"\\0\\0\\0\\x1a" + b'{"op":"hello","args":{}}  ')
    print("answered" if sock.recv(10) else "closed")
except OSError as error:
    print(type(error).__name__)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
@pytest.mark.parametrize("open_door", [False, True])
def test_another_user_does_not_come_in(site, serving, open_door, tmp_path_factory):
    path = frames.socket_path(site, "gateway")
    with tempfile.TemporaryDirectory() as near:
        Path(near).chmod(0o755)
        door = Path(near) / "s"  # pytest's own folders keep strangers out: the door itself is tested
        os.link(path, door) if path.stat().st_dev == Path(near).stat().st_dev else pytest.skip("other disk")
        if open_door:
            door.chmod(0o666)  # even where the mode lets them, the kernel tells us who it is
        run = subprocess.run(
            [sys.executable, "-c", STRANGER, str(door)], capture_output=True, text=True, check=False
        )
        assert run.stdout.strip() in (
            {"closed", "ConnectionResetError", "BrokenPipeError"} if open_door else {"PermissionError"}
        )
        own = subprocess.run(
            [sys.executable, "-c", STRANGER.replace("65534", "0"), str(door)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert own.stdout.strip() == "answered"  # reverse: the same words from the right user


def test_a_client_lives_through_a_restart_of_the_keeper(site):
    first = Server(site)
    gate = client.connect(site, "gateway")
    seed = gate.seed("s", "p")
    first.stop()
    assert refused(lambda: gate.seed("s", "p")) is Reason.KEEPER_UNAVAILABLE
    second = Server(site)
    assert gate.seed("s", "p") == seed
    gate.close()
    second.stop()


def test_without_a_keeper_and_without_its_folder_there_is_none(site):
    site.keeper_folder.rename(site.keeper_folder.with_name("away"))
    with pytest.raises(KeeperError) as caught:
        client.connect(site, "gateway")
    assert caught.value.reason is Reason.KEEPER_UNAVAILABLE


def test_a_keeper_that_does_not_answer_is_unavailable_in_time(site, monkeypatch):
    silent = socket.socket(socket.AF_UNIX)
    path = frames.socket_path(site, "gateway")
    folder = os.open(site.run_folder, os.O_RDONLY)
    silent.bind(frames.short_path(folder, path.name))
    silent.listen(1)
    gate = client.connect(site, "gateway")
    began_s = time.monotonic()
    assert refused(gate.hello) is Reason.KEEPER_UNAVAILABLE
    assert time.monotonic() - began_s < 5 * site.gateway.keeper_timeout_s
    gate.close()
    silent.close()
    os.close(folder)


def test_many_threads_ask_at_once(site, serving):
    results, errors = {}, []

    def work(n):
        try:
            with client.connect(site, "gateway") as gate:
                results[n] = [gate.seed(f"s{m}", "p") for m in range(10)]
        except KeeperError as error:  # the main thread tells
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len({tuple(seeds) for seeds in results.values()}) == 1


def wait_for(check, seconds=5):
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s:
        if found := check():
            return found
        time.sleep(0.02)
    raise AssertionError("did not happen in time")


def test_house_is_kept_while_it_serves(site, serving):
    with client.connect(site, "gateway") as gate, sites.gateway(site, gate) as sealing:
        gate.seed("s", "p")
        sealing.keep("s", b"x")
        with client.connect(site, "admin") as admin:
            wait_for(lambda: admin.state()["data_keys"] == 1 and admin.state()["intake_waiting"] == 0)
    wait_for(lambda: records(site, "seed.issued"))
    assert wait_for(lambda: statuses(site.run_folder)["keeper"].get("checkpoint_size"))
    assert statuses(site.run_folder)["keeper"]["state"] == "ready"
    assert list((site.keeper_folder / "backups").iterdir())


def test_a_broken_ledger_makes_it_unhealthy_and_it_goes_on_serving(site, serving, capsys):
    wait_for(lambda: statuses(site.run_folder)["keeper"].get("checkpoint_size"))
    change(site, "UPDATE ledger_head SET origin = 'other'")
    status = wait_for(lambda: (s := statuses(site.run_folder)["keeper"])["state"] == "unhealthy" and s)
    assert status["reason"] == Reason.LEDGER_ROLLED_BACK.code
    with client.connect(site, "gateway") as gate:
        assert gate.hello()


def test_a_house_that_ends_by_our_own_error_ends_the_keeper(site, monkeypatch, capfd):
    failed = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _args: None)
    made = Server(site, on_failure=failed.set)
    monkeypatch.setattr(made._house, "turn", lambda **_: 1 / 0)
    assert failed.wait(5)
    assert made.failed
    monkeypatch.undo()
    made.stop()


def test_the_process_ends_when_told(site):
    code = "import sys; from oathward.core.settings import load; from oathward.vault.keeper import server; server.run(load(sys.argv[1]))"
    process = subprocess.Popen([sys.executable, "-c", code, str(site.data)], stderr=subprocess.PIPE)
    wait_for(lambda: statuses(site.run_folder).get("keeper"), 20)
    with client.connect(site, "admin") as admin:
        assert admin.state()["site_key"] == 1
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert "Max core file size        0                    0" in limits
    process.terminate()
    assert process.wait(10) == 0
    assert "keeper" not in statuses(site.run_folder)
    assert not list(site.run_folder.glob("*.sock"))
    process.stderr.close()


def owned_by(site, **users):
    return dataclasses.replace(site, users=dataclasses.replace(site.users, **users))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give sockets away")
def test_each_roles_user_gets_its_socket_and_no_other_user_is_served(site):
    daemon = pwd.getpwnam("daemon").pw_uid
    serving = Server(owned_by(site, gateway="daemon"))
    try:
        assert frames.socket_path(site, "gateway").stat().st_uid == daemon
        assert frames.socket_path(site, "courier").stat().st_uid == 0
        sock = dial(site, "gateway")  # root may open any door; the keeper still says no
        assert say(sock, ask(op="hello", args={})) is None
        sock.close()
        sock = dial(site, "courier")
        assert say(sock, ask(op="outbox_keys", args={}))["ok"]
        sock.close()
    finally:
        serving.stop()


def test_a_user_that_is_not_there_is_a_setting_to_mend(site):
    with pytest.raises(SettingsError, match="no user"):
        Server(owned_by(site, gateway="nobody-of-that-name"))
    with client.connect(site, "admin") as admin:  # nothing is left behind that holds the store
        assert admin.state()


AS_USER = """
import os, pwd, sys
from oathward.core.settings import load
from oathward.vault.keeper import client
from oathward.vault.keeper.operations import table as operations
settings = load(sys.argv[1])
entry = pwd.getpwnam(sys.argv[2])  # become it last: it may not be able to read where Python lies
os.setgid(entry.pw_gid); os.setuid(entry.pw_uid)
try:
    with client.connect(settings, sys.argv[3]) as found:
        print("served", found.state()["site"])
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become other users")
def test_started_as_root_it_becomes_its_own_user_and_serves_others_their_own_doors():
    """The keeper makes the sockets, then gives up root; the gateway's user gets in where it should and nowhere else."""
    with tempfile.TemporaryDirectory() as near:
        Path(near).chmod(0o755)
        data = Path(near) / "data"
        data.mkdir(mode=0o755)
        (data / "oathward.toml").write_text('[users]\nkeeper = "nobody"\ngateway = "daemon"\n')
        settings = load(data)
        setup.init(settings)
        nobody = pwd.getpwnam("nobody").pw_uid
        for path in (data, *data.glob("oathward.db*"), *data.glob("trust"), *data.glob("run")):
            shutil.chown(path, "nobody")
        code = "import sys; from oathward.core.settings import load; from oathward.vault.keeper import server; server.run(load(sys.argv[1]))"
        process = subprocess.Popen([sys.executable, "-c", code, str(data)])
        try:
            wait_for(lambda: statuses(settings.run_folder).get("keeper"), 20)
            assert f"Uid:\t{nobody}\t{nobody}" in Path(f"/proc/{process.pid}/status").read_text()
            assert settings.keeper_folder.stat().st_uid == nobody

            def as_user(user: str, role: str) -> str:
                run = subprocess.run(
                    [sys.executable, "-c", AS_USER, str(data), user, role],
                    capture_output=True, text=True, check=False,
                )  # fmt: skip
                return run.stdout + run.stderr

            assert as_user("daemon", "gateway") == "served demo\n"
            for user, role in (("daemon", "admin"), ("daemon", "courier"), ("bin", "gateway")):
                assert "keeper.unavailable" in as_user(user, role), (user, role)
        finally:
            process.terminate()
            process.wait(10)
