"""What every test shares: Hypothesis profiles (quick by default, nightly under `make test-long`), bytecode as installed."""

import gc
import os
import sys

import pytest
from hypothesis import HealthCheck, settings
from tests.turns import Turns

settings.register_profile(
    "quick", max_examples=25, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "nightly",
    max_examples=2_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
# An installed program starts from its bytecode. So do the processes under test, whatever the environment says: some
# start a hundred sites of four, and compiling two hundred modules each time would be most of what they take.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

GC_OBJECTS = 20_000
"""New ones after which Python looks for cycles; 700 is what it comes with."""

settings.load_profile(os.environ.get("OATHWARD_HYPOTHESIS", "quick"))


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Look for garbage no more among what stays, twenty thousand tests and all they import, and rarely in what comes.

    That was a twelfth of what unit tests take, and a sixth of what finding them does.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(GC_OBJECTS, 10, 10)


def pytest_collection_modifyitems(config, items):
    """Leave `long` tests, and cases whose turn it is not, out unless OATHWARD_LONG is set."""
    if os.environ.get("OATHWARD_LONG"):
        return
    due = Turns().is_due
    skip = pytest.mark.skip(reason="runs under `make test-long`")
    for item in items:
        turns = item.get_closest_marker("turns")
        if item.get_closest_marker("long") or (turns and not due(item, *turns.args)):
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def _usual_umask():
    """A command that ran in this process narrowed it; every test starts from the usual one."""
    before = os.umask(0o022)
    yield
    os.umask(before)
