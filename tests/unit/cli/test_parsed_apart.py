"""Nothing of a file that others wrote is parsed in the process of a command, which holds keys and the database."""

import json
import os
from functools import wraps
from importlib import import_module

import pytest
from joserfc.jwk import ECKey
from tests.unit.cli.test_consent_fhir import SETTINGS as AUTHORITIES
from tests.unit.cli.test_consent_fhir import consent

from oathward.cli.main import run
from oathward.core import sandbox
from oathward.core.errors import OathwardError
from oathward.discovery.lists import opening, proposing, reading, rows
from oathward.endpoints import makers
from oathward.network import plan
from oathward.network.rules import acl, nft

SETTINGS = AUTHORITIES
PARSERS = (
    (opening, "sources"),
    (reading, "format_of"),
    (rows, "shape_of"),
    (proposing, "propose"),
    (plan, "parse"),
    (nft, "read"),
    (acl, "read"),
    (makers, "read_registry"),
)
FOREIGN = {
    "people.csv": ("oathward.people.sheet", "sent"),
    "first.csv": ("oathward.people.sheet", "table"),
    "devices.csv": ("oathward.inventory.sheet", "parse"),
    "key.json": ("oathward.inventory.keys", "read"),
    "consents.csv": ("oathward.consent.sheet", "parse"),
    "consent.json": ("oathward.consent.fhir.sets", "gather_named"),
    "shifts.csv": ("oathward.vault.care_sheet", "parse"),
    "oncall.csv": ("oathward.accesses.roster", "parse"),
    "seen.csv": ("oathward.uploads.sheet", "parse"),
    "entries.csv": ("oathward.governance.sheet", "cells_of"),
    "agreements.csv": ("oathward.governance.sheet", "cells_of"),
    "m.toml": ("oathward.discovery.lists.mapping", "read"),
}
"""File -> what parses it."""
FILES = {
    "n.json": json.dumps({"results": [{"id": 1, "asset_tag": "4711", "device_type": {"model": "P1"}}]}),
    "l.csv": "Asset No,Serial\n4711,SN1\n",
    "m.toml": 'list = "cmms"\n[columns]\n"Asset No" = "tag"\n',
    "oui.csv": 'Registry,Assignment,Organization Name\nMA-L,001B63,"Acme, Inc."\n',
    "plan.csv": "network,zone\n10.0.0.0/8,clinical\n",
    "rules.nft": "table inet f {\n chain forward {\n type filter hook forward priority 0; policy drop;\n accept\n }\n}\n",
    "rules.csv": "a,s,d\npermit,10.0.0.1,10.0.0.2\n",
}
KEY = ECKey.generate_key("P-384", {"kid": "k-1"})
FILES |= {
    "people.csv": "number,name,mail\n1,Anna Berg,anna@hospital.example\n",
    "first.csv": "number,name,mail,roles\n"
    + "".join(
        f"{n},P {n},p{n}@hospital.example,{role}\n"
        for n, role in enumerate(("administrator", "integration-engineer", "privacy-officer"))
    ),
    "devices.csv": f"id,kind,certificates\np1,pump,{'a' * 64}\n",
    "key.json": json.dumps(KEY.as_dict(private=False)),
    "consents.csv": "identifier,authority,permit\n4711,HOSP,no\n",
    "consent.json": json.dumps(consent("deny")),
    "shifts.csv": "person,unit,from,until\n",  # nobody is known here who could have one: it is refused by who parsed it
    "oncall.csv": "number,unit,from,until\n4711,icu,2026-05-04T07:00,2026-05-05T07:00\n",
    "seen.csv": "maker,classes,first,last\nAcme,observation.value,2026-05-04T07:00Z,2026-05-04T08:00Z\n",
    "entries.csv": "kind,id,title\n",
    "agreements.csv": "id,party,kind,purposes,destinations,classes,from\na,Acme,DPA,TREAT,ehr,observation.value,2026-05-04\n",
}
COLUMNS = ("--column", "action=a", "--column", "source=s", "--column", "destination=d")
COMMANDS = {
    "a list": ("inventory", "import", "n.json"),
    "a dry run": ("inventory", "import", "n.json", "--dry-run"),
    "a comparison": ("inventory", "reconcile", "l.csv", "--mapping", "m.toml"),
    "the wizard": ("inventory", "import", "l.csv", "--wizard", "--mapping", "new.toml"),
    "makers": ("inventory", "makers", "import", "oui.csv"),
    "a plan": ("network", "plan", "check", "plan.csv"),
    "a plan that is kept": ("network", "plan", "import", "plan.csv"),
    "rules": ("rules", "import", "fw", "rules.nft"),
    "rules as CSV": ("rules", "show", "./rules.csv", *COLUMNS),
    "people": ("people", "import", "people.csv", "--dry-run"),
    "first people": ("people", "found", "first.csv"),
    "devices": ("device", "import", "devices.csv"),
    "a device's key": ("device", "add", "hub", "--client-key", "key.json"),
    "consents": ("consent", "import", "consents.csv", "--dry-run"),
    "consents of FHIR": ("consent", "import", "--fhir", "consent.json", "--dry-run"),
    "shifts": ("care", "import", "shifts.csv"),
    "a roster": ("access", "on-call", "oncall.csv", "--dry-run"),
    "uploads": ("uploads", "import", "seen.csv", "--dry-run"),
    "entries": ("governance", "import", "entries.csv", "--dry-run"),
    "agreements": ("governance", "agreement", "import", "agreements.csv", "--dry-run"),
}


@pytest.fixture
def go(data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)

    def call(*arguments):
        more = ("--json",) if "--wizard" in arguments else ("--json", "--data", str(data))
        code = run([*arguments, *more])
        said = capsys.readouterr()
        return code, json.loads(said.out or said.err)

    return call


@pytest.mark.parametrize("what", COMMANDS)
def test_it_is_parsed_by_a_process_that_can_do_nothing_else(go, monkeypatch, what):
    def here(*_args, **_more):
        raise OathwardError("parsed", "in the process of the command")

    for module, name in PARSERS:
        monkeypatch.setattr(module, name, here)
    for where, name in FOREIGN.values():
        module = import_module(where)
        named = wraps(getattr(module, name))(
            lambda *args, **more: here()
        )  # its child looks it up by its name
        monkeypatch.setattr(module, name, named)
    code, told = go(*COMMANDS[what])
    assert (code, told.get("where")) == ((65, "list") if what == "shifts" else (0, None)), told


@pytest.mark.parametrize("what", COMMANDS)
def test_nothing_is_read_where_nobody_can_be_confined(go, monkeypatch, tmp_path, what):
    """A system without Landlock, as the child sees it."""
    package = tmp_path / "sitecustomize.py"
    package.write_text(
        "import oathward.core.sandbox as s\n\ndef none(*a, **k):\n    raise s.SandboxError('nothing is to be had')\n\ns.confine = none\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    code, told = go(*COMMANDS[what])
    assert (code, told["error"]) == (
        sandbox.Reason.CONFINEMENT_MISSING.answer.exit_code,
        "deid.confinement-missing",
    )


@pytest.mark.parametrize("file", ["folder", "pipe", "/dev/zero", "/proc/self/mem", "loop", "nothing"])
@pytest.mark.parametrize("what", ["devices", "a list", "consents of FHIR"])
def test_what_is_no_file_ends_with_an_error(go, tmp_path, what, file):
    """A pipe that nobody writes to is not waited for, and what has no end is not read to it."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    command = [file if one in FILES else one for one in COMMANDS[what]]
    code, told = go(*command)
    assert code in {65, 66}
    assert told.get("error") or told["errors"]
