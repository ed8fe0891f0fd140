"""Nothing of a file that others wrote is parsed in the process of a command, which holds keys and the database."""

import json

import pytest

from oathward.cli.main import run
from oathward.core import sandbox
from oathward.core.errors import OathwardError
from oathward.discovery.lists import opening, proposing, reading, rows
from oathward.endpoints import makers
from oathward.network import plan
from oathward.network.rules import acl, nft

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
FILES = {
    "n.json": json.dumps({"results": [{"id": 1, "asset_tag": "4711", "device_type": {"model": "P1"}}]}),
    "l.csv": "Asset No,Serial\n4711,SN1\n",
    "m.toml": 'list = "cmms"\n[columns]\n"Asset No" = "tag"\n',
    "oui.csv": 'Registry,Assignment,Organization Name\nMA-L,001B63,"Acme, Inc."\n',
    "plan.csv": "network,zone\n10.0.0.0/8,clinical\n",
    "rules.nft": "table inet f {\n chain forward {\n type filter hook forward priority 0; policy drop;\n accept\n }\n}\n",
    "rules.csv": "a,s,d\npermit,10.0.0.1,10.0.0.2\n",
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
    code, told = go(*COMMANDS[what])
    assert code == 0, told


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
