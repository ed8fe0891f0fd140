"""The tutorials say what the demo does: its steps, its recipients, and commands that exist and run."""

import importlib
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom import dcmread
from typer.main import get_command

from oathward.cli.demo.invited import ADDRESSES, NEWCOMER
from oathward.cli.demo.newcomer import welcome
from oathward.cli.demo.story import GETS, STEPS
from oathward.cli.main import run
from oathward.vault.recipient import new_key
from oathward_sim.fhir import SYSTEM
from oathward_sim.hospital import AUTHORITY, build
from oathward_sim.mailbox import Letter
from oathward_sim.recipients import Recipient

pytestmark = pytest.mark.filterwarnings("ignore:The Result.tuples:DeprecationWarning")

PAGE = Path(__file__).resolve().parents[3] / "docs" / "tutorial" / "first-hour.md"
TEXT = PAGE.read_text()
PATIENT = PAGE.with_name("be-the-patient.md").read_text()
COMMANDS = [
    line.removeprefix("oathward ")
    for block in re.findall(r"^```\n(.*?)^```", TEXT + PATIENT, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("oathward ")
]
CHANGES = (
    *("device adopt", "quarantine release", "consent record", "demo", "break-glass"),
    *("profile --write", "deid", "trace back", "reidentify"),
)
"""What is not run so: it changes something that a site at rest does not have, takes a minute, people who sign in, or a folder."""


def test_its_steps_are_the_demos():
    heads = re.findall(r"^## (\d) (.*)$", TEXT, re.MULTILINE)
    assert heads == [(str(number), step) for number, step in enumerate(STEPS, 1)]


def test_its_recipients_are_the_demos():
    assert re.findall(r"^\| `([\w-]+)` \|", TEXT, re.MULTILINE) == list(GETS)
    assert Recipient("ehr").id in GETS


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_exists_with_its_options(command):
    name, *rest = shlex.split(command)
    app = get_command(importlib.import_module(f"oathward.cli.{name.replace('-', '_')}").APP)
    of_verbs = hasattr(app, "commands") and not rest[0].startswith(
        "-"
    )  # a command of verbs may do something by itself
    verb = app.commands[rest.pop(0)] if of_verbs else app
    verb.make_context(name, rest)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A site at rest, with the starter bundle in force."""
    folder = tmp_path_factory.mktemp("first-hour")
    data = ("--data", str(folder / "data"))
    assert run(["init", *data]) == 0
    with (folder / "data" / "oathward.toml").open("a") as settings:
        settings.write(f'\n[patients.authorities]\n{AUTHORITY} = ["{SYSTEM.removeprefix("urn:oid:")}"]\n')
    key = new_key(folder / "registry.key")
    assert run(["policy", "init", str(folder / "bundle"), "--key", f"research-registry={key}"]) == 0
    assert run(["policy", "activate", str(folder / "bundle"), *data]) == 0
    return data


@pytest.mark.parametrize("command", [c for c in COMMANDS if not c.startswith(CHANGES)])
def test_what_only_looks_runs_on_a_site_at_rest(command, data, capfd):
    assert run([*shlex.split(command), *data]) == 0
    assert capfd.readouterr().out


def test_a_folder_of_four_formats_leaves_as_it_says(data, tmp_path, monkeypatch, capfd):
    """Three of them know whose they are and call the patient the same; one of them leads back to what it was made from."""
    monkeypatch.chdir(tmp_path)

    def follow(command, **words):
        (found,) = [one for one in COMMANDS if one.startswith(command)]
        code = run([*(words.get(one.strip("$"), one) for one in shlex.split(found)), *data])
        return code, capfd.readouterr().out

    assert follow("profile --write", OATHWARD_DATA=data[1])[0] == 0
    assert {path.suffix for path in Path("mixed").iterdir()} == {".hl7", ".json", ".dcm", ".txt"}
    assert follow("deid")[0] == 0
    left = {path.suffix: path for path in Path("release").glob("*/*")}
    assert left.keys() == {".hl7", ".json", ".dcm", ".txt"}
    [pseudonym] = re.findall(r"^PID\|1\|\|(\w+)", left[".hl7"].read_text(), re.MULTILINE)
    assert dcmread(left[".dcm"]).PatientID == pseudonym
    assert f'"value":"{pseudonym}"' in left[".json"].read_text()
    code, out = follow("trace back", FILE=left[".dcm"].name)
    assert code == 0
    assert "made from example.dcm" in out
    assert run(["trace", "back", left[".dcm"].name, "--in", "release", *data]) == 0
    assert "none of its files is the one" in capfd.readouterr().err


def test_who_is_the_patient_is_told_what_the_demo_prints():
    hospital = build(1, datetime(2026, 5, 4, tzinfo=UTC))
    who = hospital.newcomer
    said = welcome(
        "http://127.0.0.1:1", hospital, Letter(1.0, ADDRESSES[NEWCOMER], "", "http://127.0.0.1:1/enrol?key=x")
    )
    assert (
        f"{who.ward} {who.room}-{who.bed}, with {', '.join(d.name for d in hospital.newcomer_devices)}"
        in PATIENT
    )
    assert said[1] in PATIENT
    assert ADDRESSES[NEWCOMER] in PATIENT
    assert max(map(len, said)) < 120
    assert not any(value in "".join(said) for value in (who.family, who.given, who.mrn))
