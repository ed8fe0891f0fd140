"""The sample ledger as fixtures: made once, copied for each test."""

import shutil

import pytest
from tests.unit.ledger import sample

from oathward.core.db import connect
from oathward.ledger import postings


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A folder with ``ledger.db`` and ``last`` (the last signed note)."""
    folder = tmp_path_factory.mktemp("ledger")
    block, postings.BLOCK = postings.BLOCK, 128
    try:
        engine = sample.open_ledger(folder)
        (folder / "last").write_text(sample.fill(engine))
        engine.dispose()
    finally:
        postings.BLOCK = block
    return folder


@pytest.fixture
def folder(template, tmp_path, monkeypatch):
    monkeypatch.setattr(postings, "BLOCK", 128)
    for file in template.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path


@pytest.fixture
def engine(folder):
    engine = connect(f"sqlite:///{folder / 'ledger.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def empty(tmp_path):
    """A ledger without records."""
    engine = sample.open_ledger(tmp_path, "empty.db")
    yield engine
    engine.dispose()
