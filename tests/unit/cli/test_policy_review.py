"""`oathward policy review`: it reviews, lists, shows what would remove a finding, and signs off."""

import orjson
import pytest
from tests.site import Site
from tests.unit.proposing.conftest import folder  # noqa: F401  a fixture
from tests.unit.proposing.conftest import site as people_site  # noqa: F401  a fixture
from tests.unit.test_dry_running import before_files

from oathward.changes import findings_actions, findings_views
from oathward.cli import permitted
from oathward.cli.main import run
from oathward.cli.signed_in import remember
from oathward.core.db import write
from oathward.core.errors import InputError
from oathward.people import views as people
from oathward.policy.review_findings import ReviewFinding

TEXT = (
    b'@id("wide") forbid(principal, action == Action::"Disclose", resource == Link::"ehr") when { context.assurance < 2 };\n'
    b'@id("narrow") forbid(principal, action == Action::"Disclose", resource == Link::"ehr") when { context.assurance < 1 };\n'
)


@pytest.fixture
def site(tmp_path):
    made = Site.make(tmp_path / "s")
    made.activate(before_files() | {"policies/extra.cedar": TEXT})
    return made


@pytest.fixture
def go(site, capsys):
    def command(*arguments, as_json=True):
        code = run(
            ["policy", "review", *arguments, "--data", str(site.folder), *(["--json"] if as_json else [])]
        )
        out, err = capsys.readouterr()
        return code, (orjson.loads(out) if as_json and out else out), err

    return command


def test_it_lists_what_is_found_and_shows_what_would_remove_it(go):
    code, out, _ = go()
    assert code == 0
    (one,) = out["findings"]
    assert (one["rule"], one["about"], one["state"]) == ("policy.shadowed", "policy:narrow", "open")
    code, text, _ = go("--show", one["id"], as_json=False)
    assert code == 0
    assert '-@id("narrow")' in text
    assert '-@id("wide")' not in text
    _, text, _ = go(as_json=False)
    assert "1 to look at." in text


def test_one_is_signed_off_with_a_reason(go, site):
    (one,) = go()[1]["findings"]
    code, out, _ = go(
        "--sign-off", one["id"], "--why", "kept for the audit", "--days", "30", "--person", "ada"
    )
    assert (code, out["by"]) == (0, "ada")
    assert go()[1]["findings"] == []
    assert "Nothing to look at; 1 signed off or gone (--all)." in go(as_json=False)[1]
    (record,) = site.records("review.signed-off")
    assert record["body"]["why"] == "kept for the audit"


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--sign-off", "{id}"], 65, "input.invalid"),
        (["--why", "x"], 65, "input.invalid"),
        (["--sign-off", "{id}", "--why", "x", "--days", "0"], 65, "input.invalid"),
        (["--sign-off", "none", "--why", "x"], 66, "not-found"),
        (["--show", "none"], 66, "not-found"),
    ],
)
def test_bad_input(go, arguments, code, reason):
    (one,) = go()[1]["findings"]
    found, _, err = go(*(word.format(id=one["id"]) for word in arguments))
    assert found == code
    assert reason in err


def test_without_a_policy_there_is_nothing_to_review(tmp_path, capsys):
    site = Site.make(tmp_path / "s")
    assert run(["policy", "review", "--data", str(site.folder)]) != 0
    assert "decision.bundle-missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("person", "how", "reason"),
    [
        ("paul", {}, ""),
        ("audra", {}, "access.role"),
        ("ines", {}, "access.role"),
        ("paul", {"fresh": False}, "access.step-up"),
    ],
)
def test_on_a_site_with_people_it_is_who_is_signed_in(
    people_site,  # noqa: F811  a fixture
    monkeypatch,
    tmp_path,
    person,
    how,
    reason,
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    opened = people_site.opened
    data = str(opened.settings.data)
    with pytest.raises(InputError) as error:
        permitted.who_may(opened, "paul", "review.sign-off")
    assert error.value.reason.code == "access.sign-in", "a name proves nothing"
    remember(data, people_site.as_(person, **how)[0]["session"])
    if reason:
        with pytest.raises(InputError) as error:
            permitted.who_may(opened, None, "review.sign-off")
        assert error.value.reason.code == reason
    else:
        assert permitted.who_may(opened, None, "review.sign-off") == person


@pytest.mark.parametrize(
    ("person", "says"),
    [("sara", "Paul Graf: last used"), ("ines", "somebody: last used"), ("", "somebody: last used")],
)
def test_whom_a_finding_is_about_is_for_those_who_may_see_people(
    people_site,  # noqa: F811  a fixture
    monkeypatch,
    tmp_path,
    capsys,
    person,
    says,
):
    """Who is signed in decides; nobody, on a site with people, reads no names."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    opened = people_site.opened
    data = str(opened.settings.data)
    found = ReviewFinding("grant.unused", "person:paul/privacy-officer", "last used 91 days ago")
    with write(opened.engine) as db:
        findings_actions.take_in(db, opened.site, [findings_views.row_of(found, "b", 1)], 1)
    monkeypatch.setattr(people, "names", lambda _db, _site, ids: dict.fromkeys(ids, "Paul Graf"))
    if person:
        remember(data, people_site.as_(person)[0]["session"])
    for arguments in (["--json"], []):
        assert run(["policy", "review", "--show", found.id, "--data", data, *arguments]) == 0
        out = capsys.readouterr().out
        assert says in out if not arguments else says.partition(":")[0] in out or person == "sara"
        assert person == "sara" or "paul" not in out.casefold()
