"""Rules for templates: nothing inline, nothing unescaped, nothing of htmx that would need eval, no address of elsewhere."""

import re
from pathlib import Path

import pytest
from tests.architecture.tracked import ROOT

from oathward.web import words
from oathward.web.page import GROUPS, pages

TEMPLATES = Path(words.__file__).parent / "templates"
ALLOWED_HTMX = {"hx-get", "hx-trigger", "hx-swap", "hx-target"}
RULES = {
    "inline style": r"\sstyle\s*=|<style",
    "inline script": r"<script(?![^>]*\ssrc=)|\son\w+\s*=\s*[\"']|javascript:",
    "htmx that evaluates": r"hx-on|hx-vals|hx-headers|js:|\[[^\]\"']*\]\s*\"\s*>(?=)|hx-trigger=\"[^\"]*\[",
    "unescaped": r"\|\s*safe|Markup|autoescape",
    "address of elsewhere": r"(?:src|href|action)\s*=\s*\"(?:https?:)?//",
}
FILES = sorted(TEMPLATES.glob("*.html"))


def offences(text: str) -> list[str]:
    found = [name for name, pattern in RULES.items() if re.search(pattern, text)]
    return found + sorted(set(re.findall(r"\bhx-[\w-]+", text)) - ALLOWED_HTMX)


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_templates_keep_the_rules(file):
    assert offences(file.read_text()) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('<p style="color:red">', "inline style"),
        ("<script>x()</script>", "inline script"),
        ('<b onclick="x()">', "inline script"),
        ('<div hx-on:click="x()">', "htmx that evaluates"),
        ('<div hx-trigger="click[ctrlKey]">', "htmx that evaluates"),
        ("{{ name | safe }}", "unescaped"),
        ('<img src="//cdn.example/x.png">', "address of elsewhere"),
        ('<div hx-boost="true">', "hx-boost"),
    ],
)
def test_each_offence_is_found(text, rule):
    assert rule in offences(text)


def landmarks_twice(text: str) -> list[str]:
    """Names that two landmarks of a template have: whoever hears the page cannot tell one from the other."""
    named = re.findall(
        r"<section[^>]*aria-labelledby=\"([^\"{]+)\"|role=\"region\" aria-labelledby=\"([^\"{]+)\"", text
    )
    names = [one or other for one, other in named]
    return sorted({name for name in names if names.count(name) > 1})


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_no_two_landmarks_have_one_name(file):
    assert landmarks_twice(file.read_text()) == []
    assert landmarks_twice('<section aria-labelledby="a"><div role="region" aria-labelledby="a">') == ["a"]


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_forms_that_change_something_carry_the_token(file):
    for form in re.findall(r"<form[^>]*method=\"post\".*?</form>|<form[^>]*method=\"post\"[^>]*>.{0,400}", file.read_text(), re.DOTALL):  # fmt: skip
        ours = ("ui.token(token)", "{{ token(token_value) }}", 'action="/sign-in"')
        assert any(one in form for one in ours), form[:120]


def test_passwords_are_typed_hidden_and_may_be_pasted():
    """A password manager knows what each field is for; nothing of ours hears what is pasted."""
    fields = [
        field
        for file in FILES
        for field in re.findall(r"<input[^>]*>", file.read_text())
        if re.search(r'name="(password|current|again)"', field)
    ]
    assert len(fields) == 5
    for field in fields:
        assert 'type="password"' in field, field
        assert re.search(r'autocomplete="(current|new)-password"', field), field
    scripts = [*(ROOT / "assets" / "src").rglob("*.ts")]
    assert scripts
    for script in scripts:
        assert not re.search(r"\bpaste\b", script.read_text()), script.name


def test_the_navigation_goes_by_task():
    found = pages()
    assert {page.group for page in found} - {""} <= set(GROUPS)
    shown = [page for page in found if page.group]
    keys = [page.key for page in shown]
    assert len(keys) == len(set(keys))
    assert all(len(key) == 1 for key in keys)
    assert [GROUPS.index(page.group) for page in shown] == sorted(GROUPS.index(p.group) for p in shown)
    paths = [(route.method, route.path) for page in found for route in page.routes]
    assert len(paths) == len(set(paths))


def test_quiet_routes_only_read_and_public_ones_are_known():
    routes = [route for page in pages() for route in page.routes]
    assert all(route.method == "GET" for route in routes if route.quiet)
    public = {route.path for route in routes if route.public}
    assert {path.split("/")[1] for path in public} == {"sign-in", "enrol"}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "now"), (0, "now"), (1.9, "now"), (2, "2 s ago"), (59.9, "59 s ago"), (60, "1 min ago"), (3_599, "59 min ago"), (3_600, "1 h ago"), (86_399, "23 h ago"), (86_400, "1 d ago"), (8_640_000, "100 d ago"), (63_115_199, "730 d ago"), (63_115_200, "2 y ago"), (253_065_600, "8 y ago")],
)  # fmt: skip
def test_ages_are_said_in_whole_units(seconds, said):
    assert words.age(seconds) == said


def test_numbers_and_counts():
    assert words.number(1_204_331) == "1,204,331"
    assert [words.plural(n, "delivery", "deliveries") for n in (0, 1, 2)] == ["0 deliveries", "1 delivery", "2 deliveries"]  # fmt: skip
    assert words.plural(2, "message") == "2 messages"
    assert words.short("01a20122-0600-7704-bc29-4590b06c4192") == "4590b06c4192"
    assert words.short("A1") == "A1"
    assert words.meaning("no such reason").what == ""


FOLDING = (
    "connections",
    "endpoint",
    "finding",
    "findings",
    "flows",
    "governance_parts",
    "inventory",
    "map",
    "rules",
    "saved",
    "sources",
)


@pytest.mark.parametrize("name", FOLDING)
def test_lists_of_the_network_fold_on_a_phone_and_every_value_has_its_head(name):
    text = (TEMPLATES / f"{name}.html").read_text()
    tables = re.findall(r'<div class="([^"]*)"[^>]*>\s*<table>(.*?)</table>', text, re.DOTALL)
    assert len(tables) == text.count("<table")
    for classes, table in tables:
        assert "folding" in classes.split()
        heads = set(re.findall(r"<th[^>]*>([^<{]+)</th>", table.partition("</thead>")[0]))
        cells = re.findall(r"<td([^>]*)>", table.partition("</thead>")[2])
        headed = {head for cell in cells for head in re.findall(r'data-head="([^"]*)"', cell)}
        bare = [cell for cell in cells if "data-head" not in cell and 'class="check"' not in cell]
        assert len(bare) <= 1, "the first of a row may stand for itself"
        assert len(headed) >= len(heads) - 2, "and so may the head of a row"
