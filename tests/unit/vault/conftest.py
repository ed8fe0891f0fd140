"""A fresh site for each test that asks for one."""

import pytest
from tests.unit.vault import sites


@pytest.fixture
def site(tmp_path):
    return sites.make_site(tmp_path / "data")


@pytest.fixture
def admin(site):
    with sites.asking(site, "admin") as client:
        yield client
