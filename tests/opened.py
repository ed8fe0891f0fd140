"""A new site, opened by the process itself, as fixtures: made once a file, copied for each test."""

from __future__ import annotations

import shutil

import pytest

from oathward.app import build, create
from oathward.core.settings import load


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("site")
    create(load(made))
    return made


@pytest.fixture
def site(folder, tmp_path):
    opened = build(load(shutil.copytree(folder, tmp_path / "data")), "admin")
    yield opened
    opened.keeper.close()
    opened.engine.dispose()
