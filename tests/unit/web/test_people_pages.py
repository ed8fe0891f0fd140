"""People and access on a site with people: the pages, a role by two people, and what one person cannot do alone."""

import re
from types import SimpleNamespace

import pytest
from tests.unit.web.people import console, copied

from oathward.core.clock import micros
from oathward.core.db import connect, read, write
from oathward.core.labels import Role
from oathward.people import actions, grants, views
from oathward.policy import review_findings
from oathward.policy.people import GRANT, PERSON, Grant, Person, RoleGrant
from oathward.vault.authority import Seen, trust_anchor
from oathward.vault.keeper import proof, signing
from oathward.web import believed
from oathward.web.pages import people_waiting
from oathward.web.view import View

DAY = 86_400_000_000
SETUP = proof.Person("setup", "uid 0")


@pytest.fixture
def site(prepared, tmp_path):
    """Priya proposes, Sam approves, Anna is a nurse, Otto audits, Bert left."""
    settings = copied(prepared.settings.data, tmp_path / "site")
    with console(settings) as (house, browser):
        yield Site(settings, house, browser)


class Site:
    """A founded site with everybody's browser."""

    def __init__(self, settings, house, browser):
        self.settings, self.house, self.browser = settings, house, browser
        self.engine = connect(settings.database_url)
        self.now = micros(house.time.clock.now())
        for id_, name, *roles in (
            ("priya", "Priya Proposer", Role.PRIVACY_OFFICER),
            ("sam", "Sam Second", Role.SECURITY_ANALYST),
            ("anna", "Anna Berg"),
            ("otto", "Otto Auditor", Role.AUDITOR),
        ):
            self.person(id_, name, *roles)
        self.windows = {}

    def person(self, id_, name, *roles):
        """Bring somebody in as a founding does: record and grant at once."""
        person = Person(id=id_, name=name, number=f"n-{id_}", units=frozenset({"ICU"}))
        rows = tuple(RoleGrant(role, self.now - 100 * DAY, None, "from the start") for role in roles)
        self.keep((PERSON, person.body()), *([(GRANT, Grant(id_, rows).body())] if rows else []), id_=id_)

    def keep(self, *bodies, id_):
        wanted = [signing.Wanted(kind, id_, 0, body) for kind, body in bodies]
        signed = signing.sign(self.house.keeper, wanted, [SETUP])
        with write(self.engine) as db:
            actions.store(db, self.settings.site.name, signed[:1], by="setup", now_us=self.now)
        if signed[1:]:
            behind = {"proposer": "", "approver": "", "proposal": ""}
            with write(self.engine) as db:
                grants.store_approved(db, self.settings.site.name, signed[1:], **behind, now_us=self.now)
        signing.confirm_stored(self.house.keeper)

    def as_(self, who):
        """Give somebody's browser, signed in."""
        if who not in self.windows:
            _, phone = self.house.enrol(who, who)
            one = self.browser()
            one.sign_in(who, phone)
            self.windows[who] = one
        return self.windows[who]

    def roles(self, who):
        by = views.Reader(trust_anchor(self.settings), Seen(), micros(self.house.time.clock.now()))
        with read(self.engine) as db:
            return [role.role for role in views.one(db, self.settings.site.name, by, who).held]


def proposed(site, role="clinician", **more):
    """Priya proposes a role for Anna; gives the answer and the proposal's id as Sam's page has it."""
    form = {"role": role, "reason": "nurse on the ICU", "until": ""} | more
    answer = site.as_("priya").post("/people/anna", "/people/anna/grant", **form)
    found = re.search(r"/people-waiting/([\w-]+)/approve", site.as_("sam").get("/people-waiting").text)
    return SimpleNamespace(answer=answer, id=found[1] if found else "")


def test_what_a_review_finds_has_a_title_for_people_everywhere():
    assert set(people_waiting.RULES) <= set(review_findings.RULES)


class TestPages:
    def test_who_has_what_since_when_and_what_nobody_used(self, site):
        text = site.as_("otto").get("/people").text
        for name in ("Anna Berg", "Otto Auditor", "Priya Proposer", "Sam Second"):
            assert name in text
        assert "unused 90 d" in text
        assert "4 here" in text

    @pytest.mark.parametrize(
        ("query", "shown", "hidden"),
        [
            ("role=auditor", "Otto Auditor", "Anna Berg"),
            ("find=berg", "Anna Berg", "Otto Auditor"),
            ("unit=ICU", "Anna Berg", "Nobody fits"),
            ("state=left", "Nobody fits", "Anna Berg"),
            ("party=this site", "Anna Berg", "Nobody fits"),
        ],
    )
    def test_filters(self, site, query, shown, hidden):
        text = site.as_("otto").get(f"/people?{query}").text
        rows = text.partition("</form>\n")[2].partition('<form class="filters"')[2]
        assert shown in rows
        assert hidden not in rows

    def test_an_auditor_reads_and_has_no_button(self, site):
        otto = site.as_("otto")
        for path in ("/people", "/people/anna", "/people-review", "/people-services", "/people-waiting"):
            answer = otto.get(path)
            assert answer.status_code == 200, path
            main = answer.text.partition("<main")[2].partition("<dialog")[0]
            assert 'method="post"' not in main, path

    def test_the_review_says_what_to_look_at(self, site):
        text = site.as_("otto").get("/people-review").text
        assert "privacy-officer: never used, granted 100 days ago" in text
        assert "auditor: has no end" in text

    def test_a_role_that_was_used_is_no_longer_unused(self, site):
        otto = site.as_("otto")
        first = otto.get("/people-review").text
        assert "auditor: never used" not in first, "reading the review is use of the role"
        assert "security-analyst: never used, granted 100 days ago" in first
        assert "Account</dt><dd>password and authenticator app" in otto.get("/people/otto").text

    @pytest.mark.parametrize(
        ("role", "path"),
        [
            (Role.INTEGRATION_ENGINEER, "/messages"),
            (Role.INTEGRATION_ENGINEER, "/health"),
            (Role.CLINICIAN, "/patients"),
            (Role.CLINICAL_ENGINEER, "/devices"),
        ],
    )
    def test_to_look_at_a_page_is_use_of_the_role(self, site, role, path):
        site.person("ines", "Ines Looks", role)
        assert site.as_("ines").get(path).status_code == 200
        by = views.Reader(trust_anchor(site.settings), Seen(), micros(site.house.time.clock.now()))
        with read(site.engine) as db:
            (held,) = views.one(db, site.settings.site.name, by, "ines").held
        assert held.last_us

    def test_who_signs_in_by_one_time_links_is_not_said_never_to_have_signed_in(self, site, monkeypatch):
        site.person("ines", "Ines Looks", Role.INTEGRATION_ENGINEER)
        otto = site.as_("otto")
        fine = otto.get("/people/ines").text
        assert "one-time links" not in fine
        assert '<dt>Last sign-in</dt><dd><span class="dim">never' in fine
        page = View.page
        monkeypatch.setattr(
            View, "page", lambda self, name, **more: page(self, name, **more | {"by_links": True})
        )
        text = otto.get("/people/ines").text
        assert "<dt>Account</dt><dd>signs in by one-time links here</dd>" in text
        assert '<dt>Last sign-in</dt><dd><span class="dim">by link' in text
        assert "password and authenticator app</dd>" in otto.get("/people/otto").text, (
            "who has factors has them"
        )

    def test_whoever_may_not_see_people_is_told_of_nothing(self, site):
        site.person("nina", "Nina Nurse", Role.CLINICIAN)
        nina = site.as_("nina")
        there, not_there = nina.get("/people/anna"), nina.get("/people/nobody")
        assert [there.status_code, not_there.status_code, nina.get("/people").status_code] == [404, 404, 404]
        said = [
            re.sub(r"/people/\w+|\d\d:\d\d:\d\d\.\d+|datetime=\S+", "", one.text)
            for one in (there, not_there)
        ]
        assert said[0] == said[1]


class TestTwoPeople:
    def test_one_proposes_another_approves_and_it_holds(self, site):
        first = proposed(site)
        assert first.answer.headers["location"] == "/people/anna?done=proposed"
        assert site.roles("anna") == []
        waiting = site.as_("sam").get("/people-waiting").text
        assert "Anna Berg becomes clinician, without an end: nurse on the ICU" in waiting
        assert waiting.count("nurse on the ICU") == 1, "the reason stands there once"
        done = site.as_("sam").post("/people-waiting", f"/people-waiting/{first.id}/approve")
        assert done.headers["location"] == "/people-waiting?done=approved", done.text
        assert site.roles("anna") == [Role.CLINICIAN]
        page = site.as_("otto").get("/people/anna").text
        for words in ("nurse on the ICU", "Priya Proposer", "Sam Second"):
            assert words in page

    def test_the_first_page_says_what_waits_to_whom_it_waits_for(self, site):
        assert "becomes clinician" not in site.as_("sam").get("/").text
        proposed(site)
        assert "Anna Berg becomes clinician" in site.as_("sam").get("/").text
        priya = site.as_("priya").get("/").text
        assert "Anna Berg becomes clinician" not in priya
        assert "1 proposal waits" in priya

    def test_a_role_ends_the_same_way_and_stays_to_be_read(self, site):
        site.as_("sam").post("/people-waiting", f"/people-waiting/{proposed(site).id}/approve")
        site.house.time.pass_(seconds=60)
        site.as_("priya").post("/people/anna", "/people/anna/end", role="clinician", reason="moved away")
        found = re.search(r"/people-waiting/([\w-]+)/approve", site.as_("sam").get("/people-waiting").text)
        site.as_("sam").post("/people-waiting", f"/people-waiting/{found[1]}/approve")
        assert site.roles("anna") == []
        assert "Roles that hold no more" in site.as_("otto").get("/people/anna").text

    def test_nobody_approves_their_own(self, site):
        first = proposed(site)
        priya = site.as_("priya")
        assert "Another person decides this." in priya.get("/people-waiting").text
        answer = priya.post("/people-waiting", f"/people-waiting/{first.id}/approve")
        assert answer.status_code == 422
        assert "access.own" in answer.text
        assert site.roles("anna") == []

    def test_nobody_proposes_a_role_for_themselves(self, site):
        priya = site.as_("priya")
        assert "Propose a role" not in priya.get("/people/priya").text.partition("<main")[2]
        answer = priya.post("/people/anna", "/people/priya/grant", role="administrator", reason="handy")
        assert answer.status_code in {403, 404, 422}
        assert "Nothing waits" in site.as_("sam").get("/people-waiting").text

    @pytest.mark.parametrize(
        ("role", "reason", "until", "code"),
        [
            ("", "x", "", "input.invalid"),
            ("provisioner", "x", "", "input.invalid"),
            ("clinician", "", "", "input.invalid"),
            ("clinician", "x", "2001-01-01", "input.invalid"),
            ("clinician", "x", "soon", "input.invalid"),
        ],
    )
    def test_what_cannot_be_proposed_is_told_beside_the_form(self, site, role, reason, until, code):
        answer = proposed(site, role, reason=reason, until=until).answer
        assert answer.status_code == 422
        assert code in answer.text

    def test_roles_that_stand_apart_are_refused_before_anybody_is_asked(self, site):
        form = {"role": "clinician", "reason": "helps out"}
        answer = site.as_("priya").post("/people/anna", "/people/otto/grant", **form)
        assert (answer.status_code, "roles.apart" in answer.text) == (422, True)

    def test_it_may_be_refused_or_taken_back(self, site):
        first = proposed(site)
        done = site.as_("sam").post(
            "/people-waiting", f"/people-waiting/{first.id}/refuse", reason="not needed"
        )
        assert done.headers["location"] == "/people-waiting?done=withdrawn"
        assert "Nothing waits" in site.as_("sam").get("/people-waiting").text
        second = proposed(site)
        site.as_("priya").post("/people-waiting", f"/people-waiting/{second.id}/withdraw", reason="a mistake")
        assert "Nothing waits" in site.as_("sam").get("/people-waiting").text
        assert site.roles("anna") == []

    def test_who_leaves_before_the_second_agrees_gets_nothing(self, site):
        first = proposed(site)
        site.person("adam", "Adam Admin", Role.ADMINISTRATOR)
        left = site.as_("adam").post("/people/anna", "/people/anna/leave")
        assert left.headers["location"] == "/people/anna?done=left", left.text
        site.as_("sam").post("/people-waiting", f"/people-waiting/{first.id}/approve")
        assert site.roles("anna") == []


def test_a_leavers_session_ends_with_the_next_look_at_the_keeper(site, monkeypatch):
    """What changes something looks each time; a page that is only read, after ``BELIEVED_S``."""
    monkeypatch.setattr(believed, "BELIEVED_S", 0.0)
    site.person("adam", "Adam Admin", Role.ADMINISTRATOR)
    otto = site.as_("otto")
    assert otto.get("/people").status_code == 200
    site.as_("adam").post("/people/otto", "/people/otto/leave")
    assert otto.get("/people").headers.get("location", "").startswith("/sign-in")


@pytest.mark.parametrize("way", ["invite", "reset"])
def test_an_invitation_is_shown_once(site, way):
    site.person("adam", "Adam Admin", Role.ADMINISTRATOR)
    if way == "reset":
        site.house.enrol("anna", "anna")
    assert f"/people/anna/{way}" in site.as_("adam").get("/people/anna").text
    text = site.as_("adam").post("/people/anna", f"/people/anna/{way}").text
    link = re.search(r"http://localhost:2579/enrol\?key=[\w.~-]+", text)
    assert link
    assert link[0] not in site.as_("adam").get("/people/anna").text
