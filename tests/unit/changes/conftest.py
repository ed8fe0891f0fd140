"""A database with every table, and nobody's site."""

import pytest

import oathward.app  # noqa: F401  declares every table
from oathward.core.db import connect, create_tables


@pytest.fixture
def engine(tmp_path):
    made = connect(f"sqlite:///{tmp_path / 'x.db'}")
    create_tables(made)
    yield made
    made.dispose()
