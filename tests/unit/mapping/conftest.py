"""A site with a register and the tables of the network and of findings."""

from tests.unit.governance.conftest import office, url  # noqa: F401  fixtures

import oathward.endpoints.tables
import oathward.findings.sql
import oathward.network.sql  # noqa: F401  declares its tables
