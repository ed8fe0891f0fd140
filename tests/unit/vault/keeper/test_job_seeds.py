"""Promises of seeds for jobs: for whom the project takes jobs of, while they may, counted, and for nobody who says no name."""

import base64
import json

import pytest
from tests.care import peopled, person
from tests.site import Site, bundle
from tests.unit.vault.sites import ME, asking

from oathward.core.db import read
from oathward.core.errors import KeeperError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.vault.keeper import client, job_seeds, subjects
from oathward.vault.keeper.operations import table as operations

PEOPLE = [
    (person("p-privacy"), [Role.PRIVACY_OFFICER]),
    (person("p-privacy-2"), [Role.PRIVACY_OFFICER]),
    (person("p-security"), [Role.SECURITY_ANALYST]),
    (person("p-leaves"), [Role.PRIVACY_OFFICER]),
]
PROJECTS = b"""
[lung]
released_by = ["p-privacy", "p-security", "p-leaves"]
[heart]
released_by = ["privacy-officer"]
[open]
title = "whoever may run a job"
"""
LINKED = b'[registry]\nreleased_by = ["p-privacy"]'
DAY_US = 86_400_000_000


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    site = Site.make(tmp_path_factory.mktemp("s"))
    files = bundle({"ehr": "mllp://127.0.0.1:9"})
    files["projects.toml"] = files["projects.toml"].replace(b"[registry]", LINKED) + PROJECTS
    link = files["links/ehr.toml"]
    files["links/ehr.toml"] = link.replace(b"profile =", b'project = "registry"\nprofile =', 1)
    site.activate(files)
    with peopled(site, PEOPLE) as world, client.connect(site.settings, "admin", become=False) as admin:
        world.admin = admin
        yield world


def begin(world, project, who="p-privacy"):
    return world.admin.jobs.begin(project, world.enter(who))


def refused(call):
    with pytest.raises(KeeperError) as found:
        call()
    return found.value.reason


def records(world, kind):
    with read(world.gate.engine) as db:
        sql = f"SELECT body FROM ledger_record WHERE kind = '{kind}' ORDER BY idx"
        return [json.loads(body)["body"] for (body,) in db.exec_driver_sql(sql)]


def test_a_job_has_the_projects_seeds_and_key(world):
    store, site = world.keeper.store, world.keeper.site
    order = begin(world, "lung")
    assert order.device_key == subjects.device_key(store, site, "lung")
    assert order.seeds(["s-1"]) == [subjects.seed(store, site, "s-1", "lung")]
    assert order.seeds(["s-1"]) != begin(world, "open").seeds(["s-1"])


@pytest.mark.parametrize(
    ("project", "who", "reason"),
    [
        ("lung", "p-privacy", None),
        ("lung", "p-privacy-2", Reason.ACCESS_PROJECT),
        ("lung", "p-security", Reason.ACCESS_ROLE),  # named, and may run no job
        ("heart", "p-privacy-2", None),
        ("open", "p-privacy-2", None),
        ("registry", "p-privacy-2", Reason.ACCESS_PROJECT),
        ("lungs", "p-privacy", Reason.INPUT_INVALID),
    ],
)
def test_a_project_takes_jobs_of_whom_it_names(world, project, who, reason):
    if reason is None:
        assert begin(world, project, who).seeds(["s-1"])
    else:
        assert refused(lambda: begin(world, project, who)) is reason


def test_a_refusal_is_a_record(world):
    refused(lambda: begin(world, "lung", "p-privacy-2"))
    told = {"person": "p-privacy-2", "project": "lung", "why": "access.project"}
    assert records(world, "deid.denied")[-1] == told


def test_who_says_no_name_has_no_seed_of_a_project_that_names_who(world):
    gate = world.gate.opened.keeper
    assert refused(lambda: gate.seeds([("s-1", "open"), ("s-1", "lung")])) is Reason.ACCESS_PROJECT
    assert refused(lambda: gate.device_key("lung")) is Reason.ACCESS_PROJECT
    assert gate.seed("s-1", "open")
    assert gate.seed("s-1", "registry")  # a live link writes into it


def test_an_order_is_good_for_its_project_its_person_and_its_time(world, monkeypatch):
    order = begin(world, "lung")

    def ask(text, patients=("s-1",)):
        return world.admin._call("job_seeds", order=text, patients=list(patients))

    assert ask(order.order)
    said, mac = order.order.split(".")
    other = base64.b64encode(base64.b64decode(said).replace(b"lung", b"open")).decode()
    for text in (f"{other}.{mac}", f"{said}.{'0' * 64}", said, f"{said}.é", "x.y"):
        assert refused(lambda text=text: ask(text)) is Reason.NOT_PERMITTED
    now = world.keeper.now_us
    monkeypatch.setattr(world.keeper, "now_us", lambda: now() + job_seeds.ORDER_DAYS * DAY_US)
    assert refused(lambda: ask(order.order)) is Reason.NOT_PERMITTED


@pytest.fixture
def a_second_later(world, monkeypatch):
    def go():
        now = world.keeper.monotonic
        monkeypatch.setattr(world.keeper, "monotonic", lambda: now() + job_seeds.projects.AGE_S_MAX)

    return go


def test_who_may_no_more_has_no_more_seeds(world, monkeypatch, a_second_later):
    order = begin(world, "lung", "p-leaves")
    assert order.seeds(["s-1"])
    actor_of = job_seeds.roles.actor_of

    def without(keeper, id_, kind="person"):
        actor = actor_of(keeper, id_, kind)
        return type(actor)(actor.kind, actor.id, actor.roles - {Role.PRIVACY_OFFICER})

    monkeypatch.setattr(job_seeds.roles, "actor_of", without)
    a_second_later()
    assert refused(lambda: order.seeds(["s-1"])) is Reason.NOT_PERMITTED


def test_a_policy_that_names_others_ends_what_is_left_of_a_job(world, monkeypatch, a_second_later):
    order = begin(world, "heart", "p-privacy-2")
    assert order.seeds(["s-2"])
    known = job_seeds.projects.in_force(world.keeper)
    narrower = type(known.declared["heart"])("heart", released_by=frozenset({"p-privacy"}))
    changed = type(known)({**known.declared, "heart": narrower}, known.linked)
    monkeypatch.setattr(job_seeds.projects, "in_force", lambda _: changed)
    a_second_later()
    assert refused(lambda: order.seeds(["s-2"])) is Reason.ACCESS_PROJECT


def test_seeds_are_counted_by_person_project_and_day(world, monkeypatch):
    operations.flush_counts(world.keeper)
    keeper, before = world.keeper, len(records(world, "seed.issued"))
    then = job_seeds.today(keeper, "p-privacy", "lung")
    order = begin(world, "lung")
    for n in range(3):
        order.seeds([f"c-{n}"])
    assert job_seeds.today(keeper, "p-privacy", "lung") == then + 3
    operations.flush_counts(keeper)
    told = {"count": 3, "person": "p-privacy", "project": "lung", "today": then + 3}
    assert told in records(world, "seed.issued")[before:]
    now = keeper.now_us
    monkeypatch.setattr(keeper, "now_us", lambda: now() + DAY_US)
    assert job_seeds.today(keeper, "p-privacy", "lung") == 0
    begin(world, "lung").seeds(["c-1"])
    assert job_seeds.today(keeper, "p-privacy", "lung") == 1


def test_before_a_site_has_people_a_project_that_names_some_takes_no_job(tmp_path):
    site = Site.make(tmp_path)
    files = bundle({"ehr": "mllp://127.0.0.1:9"})
    files["projects.toml"] += PROJECTS
    site.activate(files)
    with asking(site.settings, "admin") as admin:
        assert admin.jobs.begin("open", ME).seeds(["s-1"])
        assert refused(lambda: admin.jobs.begin("lung", ME)) is Reason.ACCESS_PROJECT
