"""Rules that no type and no linter holds; each is shown to find a violation before it is trusted."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.architecture import rules, tracked

ROOT = rules.ROOT
RUFF = Path(sys.executable).with_name("ruff")


@pytest.fixture(scope="module")
def sources():
    """Parsed for these tests alone: held from the collection on, collections of every other test would go through it."""
    return rules.real_sources()


BROAD = """
try:
    work()
except Exception:
    pass
"""
CLEAN_UP = """
try:
    work()
except BaseException:
    undo()
    raise
"""


def test_exceptions_are_caught_broadly_in_two_places_only(sources):
    assert list(rules.broad_excepts(sources)) == []


def test_a_broad_except_is_found():
    plant = rules.planted(
        oathward__deid__plan=BROAD,
        oathward__policy__decide=BROAD.replace("Exception", "(ValueError, BaseException)"),
        oathward__vault__seal=BROAD.replace(" Exception", ""),
        oathward__gateway__path=BROAD,
        oathward__ledger__follow=BROAD + BROAD,
        oathward__core__db=CLEAN_UP,
    )
    assert list(rules.broad_excepts(plant)) == [
        "oathward/deid/plan.py:4",
        "oathward/policy/decide.py:4",
        "oathward/vault/seal.py:4",
        "oathward/ledger/follow.py:9",
    ]


def wall_clocks(path: str, text: str) -> int:
    """Count the readings of a wall clock that ruff finds in a module at a path."""
    command = [
        RUFF,
        "check",
        "--select",
        "TID251",
        "--output-format",
        "concise",
        "--stdin-filename",
        ROOT / path,
        "-",
    ]
    done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=False)
    return done.stdout.count("TID251")


@pytest.mark.parametrize(
    "text",
    [
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime\nnow = datetime.utcnow",
        "from datetime import date\ndate.today()",
        "import time\ntime.time()",
        "import time\nat = time.time_ns()",
        "from time import time\ntime()",
    ],
)
def test_a_wall_clock_is_found(text: str):
    assert wall_clocks("src/oathward/policy/decide.py", text) >= 1
    assert wall_clocks("src/oathward/core/clock.py", text) == 0


def test_time_comes_in_from_the_one_clock():
    """Ruff finds every other reading; what may stay is shown to people only and decides nothing."""
    allowed = {"src/oathward/core/process.py": 2, "src/oathward/app/metrics.py": 1}
    counts = {
        name: text.count("noqa: TID251") for name, text in tracked.texts().items() if name.startswith("src/")
    }
    assert {name: n for name, n in counts.items() if n > allowed.get(name, 0)} == {}


def test_only_commands_print(sources):
    assert list(rules.prints(sources)) == []
    assert list(rules.prints(rules.planted(oathward__gateway__path="print(1)"))) == [
        "oathward/gateway/path.py:1"
    ]


def test_parts_without_io_open_no_file(sources):
    assert list(rules.opened_files(sources)) == []
    plant = rules.planted(oathward__policy__bundle="with open('x'): pass")
    assert list(rules.opened_files(plant)) == ["oathward/policy/bundle.py:1"]


def test_sql_stands_with_the_owner_of_its_table(sources):
    assert list(rules.foreign_sql(sources)) == []


def test_a_table_has_one_owner_and_a_site(sources):
    import importlib
    import pkgutil

    import oathward
    from oathward.core.db import METADATA

    declared = rules.tables(sources)
    for folder in {owner.removeprefix("oathward/") for owners in declared.values() for owner in owners}:
        home = importlib.import_module(f"oathward.{folder}")
        for module in pkgutil.walk_packages(getattr(home, "__path__", []), f"oathward.{folder}."):
            importlib.import_module(module.name)
    assert oathward is not None
    without_site = [name for name, table in METADATA.tables.items() if "site" not in table.columns]
    assert without_site == []
    assert set(METADATA.tables) <= set(declared)


OWNER = "from oathward.core.db import METADATA\nDEVICE = Table('device', METADATA, Column('id', Text))"


@pytest.mark.parametrize(
    "text",
    [
        "db.execute(text('SELECT id FROM device WHERE id = :id'))",
        "QUERY = 'INSERT INTO device VALUES (?)'",
        "db.exec_driver_sql(f'UPDATE device SET {column} = 1')",
        "from oathward.inventory.model import DEVICE",
        "from oathward.inventory import model as devices\nselect(devices.DEVICE)",
        "import oathward.inventory.model\nfrom oathward import inventory\ninventory.DEVICE.insert()",
    ],
)
def test_foreign_sql_is_found(text: str):
    plant = rules.planted(oathward__inventory__model=OWNER, oathward__patients__actions=text)
    assert len(list(rules.foreign_sql(plant))) == 1
    at_home = rules.planted(oathward__inventory__model=OWNER, oathward__inventory__actions=text)
    assert not list(rules.foreign_sql(at_home))


def test_another_store_may_use_a_name_again():
    store = "SCHEMA = 'CREATE TABLE IF NOT EXISTS device (id TEXT)'\nQUERY = 'SELECT id FROM device'"
    plant = rules.planted(oathward__inventory__model=OWNER, oathward__vault__store=store)
    assert not list(rules.foreign_sql(plant))


def test_a_table_that_a_command_prints_makes_nobody_an_owner():
    printed = "from rich.table import Table\ntable = Table('device', 'status')\ntext('SELECT id FROM device')"
    plant = rules.planted(oathward__inventory__model=OWNER, oathward__cli__device=printed)
    assert len(list(rules.foreign_sql(plant))) == 1


def test_calling_the_owner_is_not_foreign_sql():
    text = "from oathward.inventory import model as devices\ndevices.add(db, rows)"
    plant = rules.planted(oathward__inventory__model=OWNER, oathward__patients__actions=text)
    assert not list(rules.foreign_sql(plant))
