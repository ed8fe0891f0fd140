"""The documentation is whole: links lead somewhere, decisions are indexed, words are explained, pages are current."""

import ast
import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.architecture import rules, tracked

from oathward.core.labels import Role

ROOT = tracked.ROOT
ADR = ROOT / "docs" / "adr"
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|!\[[^\]]*\]\(([^)\s]+)\)")


def pages() -> dict[str, str]:
    return {name: text for name, text in tracked.texts().items() if name.endswith(".md")}


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def anchors(text: str) -> set[str]:
    """Give the anchors of a page's headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(
        r"^#{1,6}\s+(.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    ):
        plain = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(plain.replace(" ", "-"))
    return found


def broken_links(pages: dict[str, str], root: Path) -> list[str]:
    broken = []
    for name, text in pages.items():
        for match in LINK.finditer(without_code(text)):
            target = match.group(1) or match.group(2)
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (root / name).parent / path if path else root / name
            if not file.exists() or (
                anchor and file.suffix == ".md" and anchor not in anchors(file.read_text())
            ):
                broken.append(f"{name}: {target}")
    return broken


def test_links_resolve():
    assert broken_links(pages(), ROOT) == []


def test_a_broken_link_is_found(tmp_path: Path):
    (tmp_path / "b.md").write_text("# The `one` heading, here\n")
    text = "[x](b.md) [y](b.md#the-one-heading-here) [z](c.md) [w](b.md#none) ![p](p.png) [e](https://example.org/)"
    assert broken_links({"a.md": text}, tmp_path) == ["a.md: c.md", "a.md: b.md#none", "a.md: p.png"]


def missing_files(pages: dict[str, str], files: set[str]) -> list[str]:
    """List the files of ours that a page names and that are not there; a part in capitals stands for any name."""
    known = files | {f"{one.rpartition('/')[2]}" for one in files if "/test_" in one}
    return [
        f"{name}: {path}"
        for name, text in pages.items()
        for path in re.findall(r"`((?:(?:tests|bench|src|scripts)/[\w/]+|test_\w+)\.\w+)(?:::\w+)?`", text)
        if path not in known and not re.search(r"[A-Z]{2}", path)
    ]


def test_files_that_pages_name_are_there():
    assert missing_files(pages(), set(tracked.texts())) == []


def test_a_file_that_is_not_there_is_found():
    text = "`tests/a/test_b.py`, `test_b.py`, `tests/c/test_d.py`, `test_d.py::test_e`, `src/NAME.py`, `settings.py`"
    assert missing_files({"x.md": text}, {"tests/a/test_b.py"}) == [
        "x.md: tests/c/test_d.py",
        "x.md: test_d.py",
    ]


def test_every_decision_is_in_the_index_and_has_its_parts():
    index = (ADR / "README.md").read_text()
    decisions = sorted(ADR.glob("[0-9]*.md"))
    numbers = [p.name[:4] for p in decisions]
    assert len(numbers) == len(set(numbers))
    assert [p.name for p in decisions if f"({p.name})" not in index] == []
    for path in decisions:
        text = path.read_text()
        wanted = ("## Drivers", "## Options", "## Choice", "## Consequences")
        assert [part for part in wanted if part not in text] == [], path.name
        assert re.search(r"^Status: (proposed|accepted|superseded by \[.+\]\(.+\))", text, re.MULTILINE), (
            path.name
        )


def glossary_terms() -> set[str]:
    text = (ROOT / "docs" / "glossary.md").read_text()
    terms = set()
    for row in re.findall(r"^\| (.+?) \|", text, re.MULTILINE):
        terms |= {
            term.strip(" *").lower() for part in row.split(",") for term in part.split("`") if term.strip()
        }
    return terms


def words(name: str) -> str:
    """Spell a class as the glossary does: ``SealedMessage`` -> ``sealed message``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name).lower()


def missing_terms(models: rules.Sources, terms: set[str]) -> list[str]:
    return [
        f"{path}: {name}"
        for path, module in models.items()
        if path.endswith("/model.py")
        for name in rules.public_classes(module)
        if name.lower() not in terms and words(name) not in terms
    ]


def test_public_classes_of_models_are_in_the_glossary():
    assert missing_terms(rules.real_sources(), glossary_terms()) == []


def test_a_missing_term_is_found():
    plant = rules.planted(
        oathward__x__model="class HeldRow: ...\nclass _Private: ...\nAnswer = A | B\nclass Link: ..."
    )
    assert missing_terms(plant, {"link", "held row"}) == ["oathward/x/model.py: Answer"]


def test_glossary_rows_have_term_meaning_and_source():
    text = (ROOT / "docs" / "glossary.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    assert [row for row in rows if len([c for c in row.strip("|").split("|") if c.strip()]) != 3] == []


def test_generated_pages_are_current():
    script = ROOT / "scripts" / "reference.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}run `make reference`"


def test_every_setting_stands_on_the_settings_page():
    from dataclasses import fields, is_dataclass
    from typing import get_type_hints

    from oathward.core.settings import Settings

    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    for section, kind in get_type_hints(Settings).items():
        if is_dataclass(kind):
            part = page.partition(f"## `[{section}]`")[2].partition("\n## ")[0]
            assert [f.name for f in fields(kind) if f"| `{f.name}` |" not in part] == [], section


def untested(names: list[str], texts: list[str]) -> list[str]:
    return [
        name
        for name in names
        if not any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", t) for t in texts)
    ]


def test_every_part_is_documented_and_tested():
    found = list(tracked.script("reference").parts())
    assert [name for _, name, text in found if not text] == []
    texts = [
        text
        for name, text in tracked.texts().items()
        if name.startswith("tests/") and name.endswith(".py") and "/architecture/" not in name
    ]
    assert untested([name for _, name, _ in found], texts) == []


def test_an_untested_part_is_found():
    assert untested(["safe-harbor", "remove"], ["profile('safe-harbor')", "removed"]) == ["remove"]


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "ARCHITECTURE.md"]
)
def test_the_first_pages_exist(name: str):
    assert (ROOT / name).stat().st_size > 200


def test_readme_has_exactly_two_commands():
    blocks = re.findall(r"^```\w*\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    commands = [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]
    assert commands == ["make demo", "make test"]


def test_architecture_is_short():
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 250


def test_modules_say_what_they_are():
    silent = [
        path
        for path, module in rules.real_sources().items()
        if module.body and not path.endswith("__init__.py") and not ast.get_docstring(module)
    ]
    assert silent == []


def test_those_whom_the_how_to_founds_can_assess_each_others_emergencies():
    text = (ROOT / "docs" / "how-to" / "first-people.md").read_text()
    rows = list(csv.DictReader(text.partition("people.csv <<END\n")[2].partition("END\n")[0].splitlines()))
    may = tracked.script("access_matrix").least
    alone = [one for one in rows if may(Role(one["roles"]), "policy.emergency")]
    others = [one for one in rows if may(Role(one["roles"]), "policy.approve")]
    assert len(alone) > 1
    assert all([o for o in others if o is not one] for one in alone)
