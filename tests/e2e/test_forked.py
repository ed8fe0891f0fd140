"""What tests fork instead of starting does what anyone's command does: what it writes, how it ends, as whom and where."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests import forked
from tests.site import Site, bundle, local
from tests.wire import Client, oru

ASKED = {
    "what is there": ["quarantine", "list", "--json"],
    "a check": ["ledger", "verify"],
    "no such row": ["quarantine", "show", "nothing-of-that-name", "--json"],
    "no such command": ["quaratine", "list"],
    "help": ["consent", "--help"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return Site.make(tmp_path_factory.mktemp("forked") / "s").folder


@pytest.mark.turns(2, "asked")  # each is asked twice, once of a new process
@pytest.mark.parametrize("asked", ASKED)
def test_it_says_and_ends_as_a_command_that_was_started(folder, monkeypatch, asked):
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("OATHWARD_DATA", folder.name)  # found by environment and folder of whoever asks
    done = subprocess.run(
        [sys.executable, "-m", "oathward.cli", *ASKED[asked]], capture_output=True, check=False
    )
    same = forked.run(ASKED[asked])
    assert (same.returncode, same.stdout, same.stderr) == (done.returncode, done.stdout, done.stderr)


def test_one_leaves_nothing_to_the_next(folder, monkeypatch):
    before = os.umask(0o022)
    os.umask(before)
    monkeypatch.setenv("OATHWARD_DATA", str(folder))
    first = forked.run(["quarantine", "list", "--json"])
    monkeypatch.setenv("OATHWARD_DATA", str(folder / "elsewhere"))
    assert forked.run(["quarantine", "list", "--json"]).returncode != 0
    monkeypatch.setenv("OATHWARD_DATA", str(folder))
    assert forked.run(["quarantine", "list", "--json"]).stdout == first.stdout != b""
    assert os.umask(before) == before


def test_it_reads_what_is_typed_and_has_the_environment_it_is_given(folder):
    command = ["patient", "find", "--identifier-file", "-", "--json"]
    environment, said = {"OATHWARD_DATA": str(folder)}, set()
    for typed in (b"", b"12345678^^^HOSP^MR\n"):
        done = subprocess.run(
            [sys.executable, "-m", "oathward.cli", *command],
            input=typed, capture_output=True, check=False, env=os.environ | environment,
        )  # fmt: skip
        same = forked.run(command, typed, **environment)
        assert (same.returncode, same.stdout, same.stderr) == (done.returncode, done.stdout, done.stderr)
        said.add((same.stdout, same.stderr))
    assert len(said) == 2, "nobody, and no identifier"


SAME = ("Umask", "Uid", "Groups", "SigBlk", "SigIgn")


def seen(site):
    """What the system knows of a site's processes: whose they are, what they heed, which files of others they hold."""
    found = {}
    for role in ("keeper", "courier", "app", "gateway"):
        status = site.status(role)
        of_system = Path("/proc") / str(status["pid"])
        lines = dict(
            line.split(":\t", 1) for line in (of_system / "status").read_text().splitlines() if ":\t" in line
        )
        files = {leads_to(path) for path in (of_system / "fd").iterdir()}
        found[role] = {name: lines[name] for name in SAME} | {
            "ports": sorted(status.get("ports") or ()),
            "own session": os.getsid(status["pid"]) == status["pid"],
            "the supervisor's": int(lines["PPid"]) == site.process.pid,
            "holds its lock": "serve.lock" in files,
        }
    return found


def leads_to(path):
    try:
        return path.readlink().name
    except FileNotFoundError:  # closed meanwhile
        return ""


def lived(folder, recipient, *, executed):
    """What is seen of a site from its start to its end: of its processes, of one started again, what it left, what its supervisor said."""
    site = Site.make(folder, console=True)
    site.activate(bundle({"ehr": recipient.address}))
    site.add(local())
    site.start(executed=executed)
    try:
        with Client(site.port()) as client:
            assert client.send(oru("A1")) == "AA"
        found, gone = seen(site), site.status("courier")["pid"]
        site.kill("courier")
        site.wait(lambda: another(site, gone))
        again, process = seen(site), site.process
        assert process.poll() is None
    finally:
        site.stop()
    assert process.poll() is not None
    left = [path.name for path in (site.folder / "run").glob("*.json")]
    said = [line for line in site.log.read_text().splitlines() if not line.startswith("{")]
    return found, again, left, said


def test_a_site_that_is_forked_is_as_one_that_was_started(tmp_path, recipient):
    executed, forked = (lived(tmp_path / str(how), recipient, executed=how) for how in (True, False))
    assert forked == executed
    assert forked[0] == forked[1]


def another(site, pid):
    try:
        status = site.status("courier")
    except (OSError, ValueError):
        return False
    return status["pid"] != pid and status["state"] == "ready"


def test_a_place_to_be_killed_at_is_heeded_by_a_part_that_is_forked(tmp_path, recipient):
    site = Site.make(tmp_path / "s")
    site.activate(bundle({"ehr": recipient.address}))
    site.add(local())
    mark = tmp_path / "died"
    site.start(OATHWARD_KILL_AT="courier.answered", OATHWARD_KILL_MARK=str(mark))
    try:
        assert isinstance(site.process, forked.Served)
        with Client(site.port()) as client:
            assert client.send(oru("A1")) == "AA"
        site.wait(mark.exists)
        site.wait(lambda: site.rows("SELECT count(*) FROM outbox") == [(0,)])
        assert f"courier: ended with code {-signal.SIGKILL}" in site.log.read_text()
    finally:
        site.stop()


class Left:
    """Answers of which the first is not waited for, as where the time of a test is over."""

    def __init__(self, answers):
        self.close = answers.close

    def readline(self):
        raise KeyboardInterrupt


def test_whoever_asks_next_never_gets_the_answer_of_one_that_was_left(folder, monkeypatch):
    monkeypatch.setenv("OATHWARD_DATA", str(folder))
    mine = forked.run(["quarantine", "list", "--json"])
    with monkeypatch.context() as patch:
        process = forked.run.__self__._process
        patch.setattr(process, "stdout", Left(process.stdout))
        with pytest.raises(KeyboardInterrupt):
            forked.run(["quaratine", "list"])
    after = forked.run(["quarantine", "list", "--json"])
    assert (after.returncode, after.stdout) == (0, mine.stdout)
