"""Fixtures of this folder."""

from tests.opened import folder, site  # noqa: F401  fixtures
