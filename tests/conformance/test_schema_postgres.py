"""Tables of another version are refused on PostgreSQL as on SQLite: the same test, another database."""

import pytest
from tests.postgres import needs_postgres, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.core.test_db import (  # noqa: F401  its test runs here too
    test_tables_of_another_version_are_refused_with_words_and_left,
)

pytestmark = needs_postgres


@pytest.fixture
def url(postgres_url):  # noqa: F811  the fixture
    """A database of the test's own."""
    return postgres_url
