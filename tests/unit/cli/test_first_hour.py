"""The tutorial says what the demo does: its steps, its recipients, and commands that exist and run."""

import importlib
import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from oathward.cli.demo.story import GETS, STEPS
from oathward.cli.main import run
from oathward.vault.recipient import new_key
from oathward_sim.recipients import Recipient

pytestmark = pytest.mark.filterwarnings("ignore:The Result.tuples:DeprecationWarning")

PAGE = Path(__file__).resolve().parents[3] / "docs" / "tutorial" / "first-hour.md"
TEXT = PAGE.read_text()
COMMANDS = [
    line.removeprefix("oathward ")
    for block in re.findall(r"^```\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("oathward ")
]
CHANGES = ("device adopt", "quarantine release", "consent record", "demo")
"""What is not run here: it changes something that a site at rest does not have, or takes a minute."""


def test_its_steps_are_the_demos():
    heads = re.findall(r"^## (\d) (.*)$", TEXT, re.MULTILINE)
    assert heads == [(str(number), step) for number, step in enumerate(STEPS, 1)]


def test_its_recipients_are_the_demos():
    assert re.findall(r"^\| `([\w-]+)` \|", TEXT, re.MULTILINE) == list(GETS)
    assert Recipient("ehr").id in GETS


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_exists_with_its_options(command):
    name, *rest = shlex.split(command)
    app = get_command(importlib.import_module(f"oathward.cli.{name}").APP)
    verb = app.commands[rest.pop(0)] if hasattr(app, "commands") else app
    verb.make_context(name, rest)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A site at rest, with the starter bundle in force."""
    folder = tmp_path_factory.mktemp("first-hour")
    data = ("--data", str(folder / "data"))
    assert run(["init", *data]) == 0
    key = new_key(folder / "registry.key")
    assert run(["policy", "init", str(folder / "bundle"), "--key", f"research-registry={key}"]) == 0
    assert run(["policy", "activate", str(folder / "bundle"), *data]) == 0
    return data


@pytest.mark.parametrize("command", [c for c in COMMANDS if not c.startswith(CHANGES)])
def test_what_only_looks_runs_on_a_site_at_rest(command, data, capfd):
    assert run([*shlex.split(command), *data]) == 0
    assert capfd.readouterr().out
