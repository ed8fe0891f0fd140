"""Every process its own operating-system user: the site works, and each may do what it needs and no more.

Users are numbers without accounts; only root can take them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import sqlalchemy
from tests.site import Site, bundle, local
from tests.wire import Client, Recipient, oru

import oathward
from oathward.core import users
from oathward.core.settings import load

UIDS = {"gateway": 61_001, "courier": 61_002, "keeper": 61_003, "app": 61_004}
GROUP = 61_000
USERS = "[users]\n" + "".join(f'{role} = "{uid}"\n' for role, uid in UIDS.items()) + f'group = "{GROUP}"\n'

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become other users")

TRY = """
import os, sys
path, how, uid, group = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
os.setgroups([]); os.setgid(group); os.setuid(uid)
flags = {"read": os.O_RDONLY, "write": os.O_WRONLY, "list": os.O_RDONLY | os.O_DIRECTORY}
try:
    if how == "make":
        os.close(os.open(path + "/made-by-a-test", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        os.unlink(path + "/made-by-a-test")
    elif how == "remove":
        os.rename(path, path + ".gone")
        os.rename(path + ".gone", path)
    else:
        os.close(os.open(path, flags[how]))
except OSError as error:
    print(type(error).__name__)
else:
    print("may")
"""


def may(role, how, path):
    done = subprocess.run(
        [sys.executable, "-c", TRY, str(path), how, str(UIDS[role]), str(GROUP)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() in {"may", "PermissionError"}, (path, done.stdout)
    return done.stdout.strip() == "may"


def reachable(program):
    """Whether every user may start it: each folder above lets others pass."""
    return all(folder.stat().st_mode & 0o001 for folder in (program, *program.parents))


def interpreter():
    """A Python that other users may start: ours, or the system's of the same version with our packages."""
    here, system = Path(sys.executable).resolve(), Path("/usr/bin/python3").resolve()
    if reachable(here) and reachable(Path(sqlalchemy.__file__)):
        return str(here), {}
    same = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages, source = Path(sqlalchemy.__file__).parents[1], Path(oathward.__file__).parents[1]
    if system.name == same and reachable(packages) and reachable(source):
        return str(system), {"PYTHONPATH": f"{packages}:{source}"}
    return "", {}


@pytest.fixture(autouse=True)
def python_for_all(monkeypatch):
    program, environment = interpreter()
    if not program:
        pytest.skip("no Python here that other users may start")
    monkeypatch.setattr(sys, "executable", program)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def near():
    """A folder that other users may pass through, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="oathward-users-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def recipient():
    recipient = Recipient()
    yield recipient
    recipient.close()


def served(folder, recipient, more=USERS):
    site = Site.make(folder / "s", more=more, tls=True, console=True)
    site.log = folder / "serve.log"
    site.activate(bundle({"ehr": recipient.address, "away": "mllp://127.0.0.1:9"}))
    site.add(local("mon-1", "MON1"))
    return site.start()


def pid_of(site, role):
    return site.parts[role]["pid"]


def uids(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return {*map(int, lines["Uid"].split())}, {*map(int, lines["Gid"].split())}, lines["Groups"].split()


def send(site, recipient, number, more=""):
    with Client(site.parts["gateway"]["ports"]["mllp"]) as client:
        assert client.send(oru(f"U{number}", value=f"u{number}", more=more)) == "AA"
    site.wait(lambda: f"u{number}".encode() in recipient.values())


def test_a_site_whose_processes_are_users_of_their_own(near, recipient):
    site = served(near, recipient)
    try:
        send(site, recipient, 1)
        send(
            site, recipient, 3, "".join(f"NTE|{n}||{'A' * 400}\r" for n in range(200))
        )  # heavy: handled beside
        for role, uid in UIDS.items():
            assert uids(pid_of(site, role)) == ({uid}, {GROUP}, []), role
        data = site.folder
        for role in UIDS:
            others = [other for other in UIDS if other != role]
            assert may(role, "write", data / "db" / "oathward.db"), role
            assert may(role, "read", data / "oathward.toml")
            assert not may(role, "write", data / "oathward.toml")
            assert not may(role, "make", data)
            assert not may(role, "remove", data / "db" / "oathward.db")
            assert may(role, "list", data / "keeper") is (role == "keeper")
            assert may(role, "read", data / "keeper" / "keeper.db") is (role == "keeper")
            assert may(role, "make", data / "trust") is (role == "keeper")
            assert may(role, "read", data / "trust" / "mllp.key") is (role == "gateway")
            assert may(role, "make", data / "run" / role)
            assert may(role, "make", data / "own" / role)
            for other in others:
                assert not may(role, "make", data / "run" / other)
                assert not may(role, "make", data / "own" / other)
        segments = list((data / "bodies").rglob("*.seg"))
        assert len(segments) >= 2
        for path in segments:
            assert may("courier", "read", path)
            assert may("app", "read", path)
            assert may("keeper", "read", path)
            assert may("gateway", "write", path)
            for role in ("courier", "app", "keeper"):
                assert not may(role, "write", path)
                assert not may(role, "make", path.parent)
        told = {line["what"] for line in site.cli("doctor", check=False)["lines"] if line["about"] == "users"}
        assert "every process has a user of its own under [users]" in told
        _doctor_is_content(site)
        _release_is_heard(site)
        assert site.cli("ledger", "verify")["ok"]
        site.stop()
        site.activate(bundle({"ehr": recipient.address}))  # root writes while nobody serves
        site.start()
        send(site, recipient, 2)
    finally:
        print(site.log.read_text()[-3000:])
        site.stop()


def _release_is_heard(site):
    """Root sends a held message again beside the running site: the keeper hears the gateway's user, not root."""
    with Client(site.parts["gateway"]["ports"]["mllp"]) as client:
        assert client.send(oru("U9", sender="MON9")) == "AA"
    [(held,)] = site.rows("SELECT message FROM quarantine WHERE state = 'held'")
    said = site.cli("quarantine", "release", held, "--why", "try", check=False)
    assert [one["reason"] for one in said["released"]] == ["device.identity-mismatch"], said
    site.add(local("mon-9", "MON9"))
    said = site.cli("quarantine", "release", held, "--why", "try")
    assert [one["released"] for one in said["released"]] == [True], said


def _doctor_is_content(site):
    """Root asks by a door of its own: those of the processes are for their users alone."""
    found = site.cli("doctor", check=False)["lines"]
    assert [
        line for line in found if line["about"] in {"authority", "policy"} and line["level"] != "ok"
    ] == []


def test_without_users_they_could_do_all_of_it(near, recipient):
    """The reverse: it is the settings that keep them apart, and doctor says so where they do not."""
    site = served(near, recipient, more="")
    try:
        send(site, recipient, 1)
        assert {uids(pid_of(site, role))[0].pop() for role in UIDS} == {0}
        told = [line["what"] for line in site.cli("doctor", check=False)["lines"] if line["about"] == "users"]
        assert told[0].startswith("no user is named for gateway, courier, keeper, app, group under [users]")
    finally:
        site.stop()


def test_a_database_in_the_old_place_is_said_before_anything_starts(near):
    site = Site.make(near / "s")
    with (site.folder / "oathward.toml").open("a") as file:
        file.write(USERS)
    settings = load(site.folder)
    assert "move oathward.db* into it" in users.why_not_separated(settings)
    done = subprocess.run(
        [sys.executable, "-m", "oathward.cli", "serve", "--data", str(site.folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 78
    assert "move oathward.db* into it" in done.stderr
    (site.folder / "db").mkdir()
    for path in site.folder.glob("oathward.db*"):
        path.rename(site.folder / "db" / path.name)
    assert users.why_not_separated(settings) == ""


@pytest.mark.parametrize(
    ("named", "why"),
    [
        (USERS.replace("61003", "61001"), "one user twice"),
        (USERS.replace("61003", "0"), "or root"),
        (USERS.replace('group = "61000"', ""), "no user is named for group"),
    ],
)
def test_what_does_not_separate_is_said_in_words(near, named, why):
    (near / "oathward.toml").write_text(named)
    assert why in users.why_not_separated(load(near))
