"""What every test shares: Hypothesis profiles (quick by default, nightly under `make test-long`)."""

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick", max_examples=50, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "nightly",
    max_examples=2_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("OATHWARD_HYPOTHESIS", "quick"))


def pytest_collection_modifyitems(config, items):
    """Leave `long` tests out unless OATHWARD_LONG is set."""
    if os.environ.get("OATHWARD_LONG"):
        return
    skip = pytest.mark.skip(reason="runs under `make test-long`")
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def _usual_umask():
    """A command that ran in this process narrowed it; every test starts from the usual one."""
    before = os.umask(0o022)
    yield
    os.umask(before)
