"""A register of its own for each test."""

import pytest
from tests.unit.governance.office import Office

import oathward.governance.sql
import oathward.ledger.tables  # noqa: F401  declares its tables
from oathward.core.db import connect, create_tables


@pytest.fixture
def url(tmp_path):
    """Where the database is; the tests on PostgreSQL have another one."""
    return f"sqlite:///{tmp_path}/site.db"


@pytest.fixture
def office(url, tmp_path):
    engine = connect(url)
    create_tables(engine)
    yield Office(engine, tmp_path)
    engine.dispose()
