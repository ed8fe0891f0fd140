"""A database with all tables, and a site in it."""

import pytest
from tests.unit.patients.making import Site

import oathward.inventory.sql
import oathward.ledger.tables
import oathward.patients.sql  # noqa: F401  declares its tables
from oathward.core.db import connect, create_tables


@pytest.fixture
def engine(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def site(engine):
    return Site(engine)
