"""A data folder with its keys, made once a file and copied for each test."""

import shutil

import pytest

from oathward.app import create
from oathward.core.settings import load


@pytest.fixture(scope="module")
def site_folder(request, tmp_path_factory):
    """A new site; a file of tests with ``SETTINGS`` has these."""
    folder = tmp_path_factory.mktemp("site")
    settings = getattr(request.module, "SETTINGS", "")
    if settings:
        (folder / "oathward.toml").write_text(settings)
    create(load(folder))
    return folder


@pytest.fixture
def data(site_folder, tmp_path):
    """A copy of it that a test may change."""
    return shutil.copytree(site_folder, tmp_path / "data")
