"""Rules that no type and no linter holds; each is shown to find a violation before it is trusted."""

import pytest
from tests.architecture import rules

SOURCES = rules.real_sources()

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


def test_exceptions_are_caught_broadly_in_two_places_only():
    assert list(rules.broad_excepts(SOURCES)) == []


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


def test_time_comes_in_from_the_one_clock():
    assert list(rules.clock_reads(SOURCES)) == []


@pytest.mark.parametrize(
    "text",
    [
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime\nnow = datetime.utcnow",
        "from datetime import date\ndate.today()",
        "import time\ntime.time()",
        "import time\nat = time.time_ns()",
        "from time import time",
    ],
)
def test_a_wall_clock_is_found(text: str):
    assert list(rules.clock_reads(rules.planted(oathward__policy__decide=text)))
    assert not list(rules.clock_reads(rules.planted(oathward__core__clock=text)))


def test_only_commands_print():
    assert list(rules.prints(SOURCES)) == []
    assert list(rules.prints(rules.planted(oathward__gateway__path="print(1)"))) == [
        "oathward/gateway/path.py:1"
    ]


def test_parts_without_io_open_no_file():
    assert list(rules.opened_files(SOURCES)) == []
    plant = rules.planted(oathward__policy__bundle="with open('x'): pass")
    assert list(rules.opened_files(plant)) == ["oathward/policy/bundle.py:1"]


def test_sql_stands_with_the_owner_of_its_table():
    assert list(rules.foreign_sql(SOURCES)) == []


def test_a_table_has_one_owner_and_a_site():
    import importlib
    import pkgutil

    import oathward
    from oathward.core.db import METADATA

    declared = rules.tables(SOURCES)
    for folder in {owner.removeprefix("oathward/") for owner, _ in declared.values()}:
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


def test_calling_the_owner_is_not_foreign_sql():
    text = "from oathward.inventory import model as devices\ndevices.add(db, rows)"
    plant = rules.planted(oathward__inventory__model=OWNER, oathward__patients__actions=text)
    assert not list(rules.foreign_sql(plant))
