"""The supervisor says once why a site cannot start here, and starts nothing then."""

import asyncio
import dataclasses
import json
import os
import socket
import subprocess
import sys
import time

import pytest

from oathward import supervisor
from oathward.cli.main import run
from oathward.core.errors import OathwardError, SettingsError
from oathward.core.process import HELD_VARIABLE
from oathward.core.reasons import Reason
from oathward.core.settings import Users, load
from oathward.supervisor import Supervisor, port_trouble, try_port


@pytest.fixture
def home(tmp_path):
    (tmp_path / "oathward.toml").write_text(
        "[mllp]\nport = 0\ntls_port = 0\n[metrics]\nport = 0\n[fhir]\nport = 0\n[console]\nport = 0\n"
    )
    assert run(["init", "--data", str(tmp_path)]) == 0
    return tmp_path


@pytest.fixture
def busy():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def status(home, pid, at_s):
    run_folder = home / "run"
    run_folder.mkdir(exist_ok=True)
    (run_folder / "keeper.json").write_text(json.dumps({"role": "keeper", "pid": pid, "at_s": at_s}))


def serving(home):
    return Supervisor(load(home), lambda _role, _what: None)


def test_a_port_in_use_is_one_line_and_nothing_starts(home, busy, capsys):
    (home / "oathward.toml").write_text(
        f"[mllp]\nport = {busy}\ntls_port = 0\n[metrics]\nport = 0\n[fhir]\nport = 0\n[console]\nport = 0\n"
    )
    assert run(["serve", "--data", str(home)]) == 78
    err = capsys.readouterr().err
    assert err.startswith(f"error[port.taken] serve: port {busy} of 127.0.0.1 is taken; choose others with")
    assert "[mllp] port" in err
    assert err.count("\n") == 1
    assert list((home / "run").glob("*.json")) == []


def test_a_port_base_is_looked_at_too(home, busy, capsys):
    assert run(["serve", "--data", str(home), "--port-base", str(busy - 2)]) == 78
    assert "[metrics] port" in capsys.readouterr().err
    assert run(["serve", "--data", str(home), "--port-base", "70000"]) == 78


def test_an_address_that_is_not_of_this_machine():
    with pytest.raises(SettingsError, match="no address of this machine"):
        try_port("[mllp] port", "192.0.2.1", 0)
    trouble = port_trouble("[mllp] port", "127.0.0.1", 80, PermissionError(13, "no"))
    assert "may not open port 80" in trouble.why


def test_a_second_serve_names_the_first(home):
    held = supervisor._locked(home / "run")
    with pytest.raises(OathwardError, match=f"already running, pid {os.getpid()};") as caught:
        asyncio.run(serving(home).start())
    assert caught.value.reason is Reason.ALREADY_RUNNING
    os.close(held)
    os.close(supervisor._locked(home / "run"))


def test_parts_of_a_killed_supervisor_are_waited_for(home, monkeypatch):
    monkeypatch.setattr(supervisor, "STATUS_STALE_S", 5.0)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        status(home, other.pid, time.time())
        assert supervisor._living(home / "run") == other.pid
        monkeypatch.setattr(supervisor, "STATUS_STALE_S", -0.9)  # waits 0.1 s
        monkeypatch.setattr(supervisor, "_living", lambda _folder: other.pid)
        with pytest.raises(OathwardError, match=f"pid {other.pid}"):
            asyncio.run(supervisor._left_over(home / "run"))
        monkeypatch.undo()
        other.kill()
        other.wait()
        assert supervisor._living(home / "run") == 0
    status(home, os.getppid(), time.time() - 3_600)  # an old file, its number given to another since
    assert supervisor._living(home / "run") == 0


def test_a_user_that_is_not_there(home):
    settings = dataclasses.replace(load(home), users=Users(app="nobody-of-that-name"))
    with pytest.raises(SettingsError, match=r"\[users\] app"):
        asyncio.run(Supervisor(settings, lambda _role, _what: None).start())


def test_a_part_that_cannot_run_here_is_not_started_again(home, monkeypatch):
    """Without the look beforehand the part itself says it, once."""
    settings = load(home)
    (home / "oathward.toml").write_text("[mlp]\n")
    said = []
    monkeypatch.setattr(supervisor, "doors", lambda _settings: {})
    with pytest.raises(SettingsError, match="its line above"):
        asyncio.run(Supervisor(settings, lambda *what: said.append(what)).start())
    assert said == []


def test_a_part_that_cannot_be_started_again_now_is_tried_again(home, monkeypatch):
    """Memory or processes are short for a moment: nobody else would start it."""
    monkeypatch.setattr(supervisor, "_PAUSE_FIRST_S", 0.001)
    tries = []

    class Ended:
        returncode = 1

        async def wait(self):
            await asyncio.sleep(0)
            return 1

    async def spawn(child):
        tries.append(child.role)
        if len(tries) < 3:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        serve._stopping = True
        child.process = Ended()

    said = []
    serve = Supervisor(load(home), lambda _role, what: said.append(what))
    monkeypatch.setattr(serve, "_spawn", spawn)
    child = serve._children["app"]
    child.process = Ended()
    asyncio.run(serve._watch(child))
    assert len(tries) == 3
    assert [what for what in said if "cannot be started" in what]


def test_a_role_that_put_a_folder_in_place_of_its_status_is_started_all_the_same(home, monkeypatch):
    (home / "run" / "app.json").mkdir(parents=True)

    async def go():
        serve = serving(home)
        child = serve._children["app"]
        monkeypatch.setattr(sys, "executable", "/bin/true")
        await serve._spawn(child)
        await child.process.wait()
        serve._deafen(child)

    asyncio.run(go())


def test_parts_import_side_by_side_and_begin_one_after_the_other(home, monkeypatch):
    """Nothing of a part runs before the one before it is ready: the gateway accepts nothing while others are not there."""
    began = []
    ready = Supervisor._ready

    async def noted(self, role, child):
        began.append((role, sorted(one.stem for one in (home / "run").glob("*.json"))))
        await ready(self, role, child)

    monkeypatch.setattr(Supervisor, "_ready", noted)

    async def go():
        serve = serving(home)
        try:
            await serve.start()
            assert [child.restarts for child in serve._children.values()] == [0, 0, 0, 0]
        finally:
            await serve.stop()

    asyncio.run(go())
    assert [(role, set(before) - {role}) for role, before in began] == [
        ("keeper", set()),
        ("courier", {"keeper"}),
        ("app", {"keeper", "courier"}),
        ("gateway", {"keeper", "courier", "app"}),
    ]


def test_a_held_part_whose_supervisor_ends_ends_too(home):
    command = [sys.executable, "-m", "oathward.app", "courier", "--data", str(home)]
    environment = os.environ | {HELD_VARIABLE: "1", "OATHWARD_SUPERVISED": "1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as held:
        held.stdin.close()
        assert held.wait(30) == 0
    assert not (home / "run" / "courier.json").exists()
