"""A model of the site's own beside `oathward deid`: what it finds goes too; where it fails the file is held, and no other."""

import sys

import pytest
from tests import forked
from tests.e2e.test_deid import deid, site, written  # noqa: F401  the fixture

MODEL = """
import json, sys
for line in sys.stdin:
    text = json.loads(line)["text"]
    if "break" in text:
        sys.exit(1)
    at = text.find("blue heron")
    print(json.dumps({"spans": [[at, at + 10, "name", 0.8]] if at >= 0 else []}), flush=True)
"""
RESEARCH = ("--profile", "research", "--project", "r1")


@pytest.fixture
def named(site, tmp_path):  # noqa: F811  the fixture
    """A site whose settings name a model."""
    program = tmp_path / "model" / "model.py"
    program.parent.mkdir()
    program.write_text(MODEL)
    settings = site.folder / "oathward.toml"
    folders = f"{program.parent}:{sys.prefix}:{sys.base_prefix}"
    settings.write_text(
        f"{settings.read_text()}\n[deid]\nprocesses = 1\ntext_model = '{sys.executable} -S {program}'\n"
        f"text_model_folders = '{folders}'\ntext_model_memory_bytes_max = 2000000000\n"
    )
    return site


def test_what_it_finds_goes_and_what_it_breaks_on_is_held(named, tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    (root / "1.txt").write_text("The patient is known on the ward as the blue heron, and sleeps well.\n")
    (root / "2.txt").write_text("The patient had a break of the left wrist, and it heals well.\n")
    (root / "3.txt").write_text("After the third night the blue heron asked for water and for a book.\n")
    code, told = deid(named, root, tmp_path / "out", *RESEARCH)
    assert (code, told["written"], told["reasons"]) == (1, 2, {"deid.text-model": 1})
    texts = sorted(data for name, data in written(tmp_path / "out").items() if name.endswith(".txt"))
    assert texts == [
        b"After the third night the [name] asked for water and for a book.\n",
        b"The patient is known on the ward as the [name], and sleeps well.\n",
    ]


def test_one_that_does_not_start_is_told_before_anything_is_written(named, tmp_path):
    settings = named.folder / "oathward.toml"
    settings.write_text(settings.read_text().replace("model.py", "no-model.py"))
    root = tmp_path / "in"
    root.mkdir()
    (root / "1.txt").write_text("The patient sleeps well.\n")
    arguments = ["deid", str(root), "--out", str(tmp_path / "out"), *RESEARCH, "--data", str(named.folder)]
    done = forked.run(arguments)
    assert done.returncode not in (0, 1)
    assert b"[deid] text_model" in done.stderr
    assert b"an answer to each text" in done.stderr
    assert not (tmp_path / "out").exists()
