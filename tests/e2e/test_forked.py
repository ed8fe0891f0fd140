"""What tests fork instead of starting does what anyone's command does: what it writes, how it ends, as whom and where."""

import os
import subprocess
import sys

import pytest
from tests import forked
from tests.site import Site

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
