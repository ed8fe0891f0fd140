"""The import contracts hold, and each of them notices a violation planted in a copy of the source."""

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / ".importlinter"
LINT = Path(sys.executable).with_name("lint-imports")

PLANTS = [
    ("layers", "oathward/core/planted.py", "import oathward.ledger"),
    ("layers", "oathward/ledger/planted.py", "import oathward.protocols"),
    ("layers", "oathward/patients/planted.py", "import oathward.consent"),
    ("layers", "oathward/gateway/planted.py", "import oathward.courier"),
    ("layers", "oathward/deid/planted.py", "import oathward.policy"),
    ("layers", "oathward/planted/__init__.py", ""),
    ("contexts", "oathward/inventory/model.py", "import oathward.inventory.sql"),
    ("doors", "oathward/gateway/listeners/mllp/planted.py", "import oathward.gateway.listeners.fhir.tokens"),
    ("doors", "oathward/gateway/listeners/tls.py", "import oathward.gateway.listeners.http.body"),
    ("pure", "oathward/protocols/planted.py", "import socket"),
    ("pure", "oathward/deid/planted.py", "def lazy():\n    import oathward.core.db"),
    ("pure", "oathward/policy/planted.py", "import asyncio"),
    ("pure-direct", "oathward/policy/planted.py", "import pathlib"),
    ("cryptography", "oathward/gateway/planted.py", "from cryptography.hazmat.primitives import hashes"),
    ("simulator-sees", "oathward_sim/planted.py", "import oathward.vault"),
    ("simulator-seen", "oathward/app.py", "import oathward_sim"),
]


def lint(source: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(source), "COLUMNS": "300"}
    command = [LINT, "--config", CONFIG, "--no-cache"]
    return subprocess.run(
        command, cwd=source, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def names() -> dict[str, str]:
    parser = configparser.ConfigParser()
    parser.read(CONFIG)
    prefix = "importlinter:contract:"
    return {s.removeprefix(prefix): parser[s]["name"] for s in parser.sections() if s.startswith(prefix)}


def test_every_contract_has_a_plant():
    assert set(names()) == {contract for contract, *_ in PLANTS}


def test_the_contracts_hold():
    done = lint(ROOT / "src")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("contract", "file", "text"),
    [
        pytest.param(*plant, marks=() if plant[0] not in {p[0] for p in PLANTS[:n]} else pytest.mark.long)
        for n, plant in enumerate(PLANTS)
    ],  # of each contract the first, and all of them in the long run
)
def test_a_planted_violation_is_found(tmp_path: Path, contract: str, file: str, text: str):
    source = tmp_path / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    plant = source / file
    plant.parent.mkdir(exist_ok=True)
    if contract == "contexts":  # a model that reads its own sql
        (plant.parent / "sql.py").touch()
    plant.write_text(text + "\n")
    done = lint(source)
    assert done.returncode != 0
    exhaustive = file.endswith("planted/__init__.py")
    assert f"{names()[contract]} BROKEN" in done.stdout or (exhaustive and "oathward.planted" in done.stdout)


@pytest.mark.parametrize("module", ["gateway.process", "courier.process", "app.process", "app"])
def test_who_asks_the_keeper_loads_nothing_of_it(module: str):
    """It would be a third of what their start takes, and passkeys are nothing to a gateway."""
    code = f"import sys, oathward.{module}\nassert 'oathward.vault.keeper.client' in sys.modules\n"
    code += "print({'oathward.vault.keeper.keeper', 'oathward.vault.keeper.operations.table', 'webauthn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
