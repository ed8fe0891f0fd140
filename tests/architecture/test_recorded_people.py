"""Records have people by id, and pages show their names: no page or call hands a name to what is kept (``View.who``)."""

import re
from pathlib import Path

import oathward.web

WEB = Path(oathward.web.__file__).parent
NAMED = re.compile(r"\b(?:view|self)\.person\b|\bvisit\.person\b").search
SHOWN = {
    "view.py": "where both are told apart",
    "api/account.py": "one's own name",
    "api/tokens.py": "one's own name",
    "pages/ledger.py": "who began a verification: shown, never kept",
}


def naming():
    return {str(path.relative_to(WEB)) for path in WEB.rglob("*.py") if NAMED(path.read_text())}


def test_only_what_is_shown_has_a_name():
    assert naming() == set(SHOWN)


def test_a_name_that_is_handed_on_is_found(tmp_path, monkeypatch):
    (tmp_path / "planted.py").write_text("actions.dismiss(db, site, id_, by=view.person)\n")
    monkeypatch.setattr("tests.architecture.test_recorded_people.WEB", tmp_path)
    assert naming() == {"planted.py"}
