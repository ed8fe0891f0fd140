"""Profiles in the console and by the API: in words, compared, before and after; in a site's own words, and who may look."""

import html
import re
from types import SimpleNamespace

import pytest
from tests.site import Site
from tests.unit.policy import small
from tests.unit.web.viewers import GRANTED, bearer, console_of, viewer

from oathward.app import build
from oathward.core.errors import InputError
from oathward.core.labels import CLASSES, Role
from oathward.deid import words
from oathward.deid.profile import builtin_profiles, builtin_texts
from oathward.deidentifying.example.preview import preview
from oathward.deidentifying.example.rows import examples
from oathward.inventory.model import Device
from oathward.web.pages.profiles import Known

OWN = builtin_texts()["research"].replace('name = "research"', 'name = "ours"').replace('"year"', '"remove"')
MAY = {Role.CLINICAL_ENGINEER, Role.SECURITY_ANALYST, Role.PRIVACY_OFFICER, Role.INTEGRATION_ENGINEER}
MAY |= {Role.AUDITOR, Role.ADMINISTRATOR}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    site = Site.make(tmp_path_factory.mktemp("profiles") / "s")
    site.activate({**small.files(), "profiles/ours.toml": OWN.encode()})
    site.add(Device("mon-4", kind="monitor", make="Acme", senders=frozenset({"CENTRAL|ICU"})))
    return site


@pytest.fixture
def app(prepared, monkeypatch):
    site = build(prepared.settings, "app")
    yield console_of(site, monkeypatch)[0]
    site.keeper.close()
    site.engine.dispose()


@pytest.fixture
def page(app):
    def get(path, role=Role.AUDITOR):
        answer = viewer(app, role).get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return html.unescape(re.sub(r"<wbr>|</?code>", "", answer.text))

    return get


@pytest.fixture
def call(app):
    def get(path, role=Role.AUDITOR, status=200):
        answer = viewer(app, role).get(f"/api/v1{path}", headers=bearer(role))
        assert answer.status_code == status, answer.text
        return answer.json()

    return get


def test_all_profiles_are_listed_with_what_uses_them(page):
    text = page("/profiles")
    for name in (*builtin_profiles(), "ours"):
        assert f'href="/profiles/{name}"' in text
    row = text[text.index('href="/profiles/safe-harbor"') :].partition("</tr>")[0]
    assert 'href="/links/research-registry"' in row
    assert "Oathward" in row
    assert "this site" in text[text.index('href="/profiles/ours"') :].partition("</tr>")[0]


def test_a_profile_that_moves_dates_is_listed_with_the_projects_that_do():
    projects = {name: SimpleNamespace(id=name, date_shift=name == "studies") for name in ("studies", "care")}
    active = SimpleNamespace(bundle=SimpleNamespace(links={}, projects=projects))
    known = Known(builtin_profiles(), builtin_texts(), active)
    assert known.uses("research") == ([], ["studies"])
    assert known.uses("safe-harbor") == ([], [])


def test_a_name_that_is_no_profiles_says_what_was_meant():
    with pytest.raises(InputError, match="did you mean `research`"):
        Known(builtin_profiles(), builtin_texts(), None).one("reserch")


@pytest.mark.parametrize("name", [*builtin_profiles(), "ours"])
def test_a_profile_is_told_whole(page, name):
    text = page(f"/profiles/{name}")
    assert all(f"({cls})" in text for cls in CLASSES)
    shown = builtin_profiles().get(name)
    for row in words.said(shown) if shown else ():
        assert row.becomes.replace("`", "") in text
        assert row.dicom in text
    for code, meaning in words.options(shown) if shown else ():
        assert f"{code} {meaning}" in text


def test_two_are_compared(page):
    text = page("/profiles/safe-harbor?with=research")
    found = words.difference(builtin_profiles()["safe-harbor"], builtin_profiles()["research"])
    assert f"{len(found)} classes of which research" in text
    assert "more leaves" in text
    assert "do the same" not in text
    assert "of which" not in page("/profiles/safe-harbor?with=no-such")
    assert "treatment and" not in page("/profiles/treatment?with=")


@pytest.mark.parametrize("kind", examples())
def test_before_and_after_say_what_the_preview_says(page, kind):
    text = page(f"/profiles/research/example?format={kind}")
    made = preview(builtin_profiles()["research"], kind)
    assert f"{sum(row.what == 'removed' for row in made.rows)} removed" in text
    for row in made.rows:
        assert row.place in text
        assert row.what == "added" or row.about in text
        assert row.why.replace("`", "") in text
    assert "<del>" in text
    assert "<ins>" in text
    first, _, folded = text.partition("<details><summary")
    assert first.count("<tr>") == 1 + sum(row.what != "kept" for row in made.rows)
    kinds = [row.what for row in made.rows]
    if "kept" in kinds:
        assert folded.partition("</details>")[0].count("<tr>") == 1 + kinds.count("kept")
    if {"changed", "removed"} <= set(kinds):
        assert first.rindex("</svg>changed") < first.index("</svg>removed"), "first what changes"


def test_what_is_held_says_so(page):
    text = page("/profiles/safe-harbor/example?format=text")
    assert "nothing leaves" in text
    assert "decision.nothing-left" in text
    assert "<ins>" not in text


def test_the_example_names_the_sites_own_devices_to_those_who_may_see_them(page, monkeypatch):
    assert "|CENTRAL|ICU|" in page("/profiles/treatment/example")
    may = "oathward.web.view.View.may"
    monkeypatch.setattr(
        may, lambda view, action, thing=None: action != "devices.see" and view.asking.may(action, thing)
    )
    assert "CENTRAL" not in page("/profiles/treatment/example")


@pytest.mark.parametrize("path", ["/profiles", "/profiles/research", "/profiles/research/example"])
def test_who_may_read_policy_may_read_profiles_and_nobody_else(app, path):
    seen = {role for role in GRANTED if viewer(app, role).get(path).status_code == 200}
    assert seen == MAY
    assert viewer(app, Role.AUDITOR).get("/profiles/no-such").status_code == 404


def test_the_api_tells_the_same(call):
    listed = {one["name"]: one for one in call("/profiles")["items"]}
    assert listed.keys() == {*builtin_profiles(), "ours"}
    assert listed["safe-harbor"]["links"] == ["research-registry"]
    assert (listed["safe-harbor"]["built_in"], listed["ours"]["built_in"]) == (True, False)
    whole = call("/profiles/research")
    assert {one["cls"] for one in whole["classes"]} == CLASSES
    told = {one["cls"]: one["dicom"] for one in whole["classes"]}
    assert "is emptied" in told["patient.birth-date"]
    assert [one["code"] for one in whole["dicom"]] == list(builtin_profiles()["research"].dicom)
    found = call("/profiles/safe-harbor/differences?other=research")["items"]
    assert {one["direction"] for one in found} == {"more", "less", "other"}
    made = call("/profiles/research/example?format=fhir")
    assert made["format"] == "fhir"
    assert not made["held"]
    assert {"changed", "removed", "added"} <= {row["what"] for row in made["rows"]}
    assert "Testperson" in made["before"]
    assert "Testperson" not in made["after"]
    assert call("/profiles/none", status=404)
    assert call("/profiles/research/differences?other=none", status=400)
    assert call("/profiles/research/example?format=none", status=400)
