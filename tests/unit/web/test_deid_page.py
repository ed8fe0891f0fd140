"""Promises of De-identification: jobs with how far they are, one with its figures and what it held, in pages that miss none."""

import re

import pytest
from tests.unit.web.test_patients_page import BASE, token_of, viewer, world  # noqa: F401  fixtures

from oathward.core.clock import micros
from oathward.core.db import write
from oathward.core.meanings_files import FILES
from oathward.core.reasons import Reason
from oathward.jobs import actions, sql, views
from oathward.jobs.model import Figures, FileDone, JobRow, Progress
from oathward.web.pages.deid import HELD_ROWS, ROWS

FIGURES = Figures(
    formats={"hl7v2": {"files": 2, "written": 2, "held": 0, "units": 2, "units_held": 0, "bytes_in": 9, "bytes_out": 8}},
    removed={"patient.name": 1_234},
    changed={"patient.identifier": 77},
    reasons={"patient.several": 1, "deid.format-unknown": 150},
    taken_back={"patient.address": 3},
    authorities={"undeclared": 2, "systems": 1, "patients": 5},
)  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_run(world):  # noqa: F811  the fixture
    with write(world.gate.engine) as db:
        for table in (sql.deid_job, sql.deid_held, sql.deid_unit):
            db.execute(table.delete())


def run(world, id_="job-1", *, progress=None, held=(), ended=False, ago_us=0, **more):  # noqa: F811  the fixture
    gate = world.gate
    at_us = micros(gate.clock.now()) - ago_us
    terms = {"profile": "research", "project": "registry", "by": "p-privacy"} | more
    told = progress or Progress(files=700, done=120, written=118, held=2)
    with write(gate.engine) as db:
        actions.begin(db, gate.site, JobRow(id_, **terms, begun_us=at_us, updated_us=at_us))
    with write(gate.engine) as db:
        actions.advance(db, gate.site, id_, told, held, now_us=at_us)
    if ended:
        with write(gate.engine) as db:
            actions.end(db, gate.site, id_, told, now_us=at_us)
    return id_


def test_a_job_that_runs_says_how_far_it_is(world):  # noqa: F811  the fixture
    officer = viewer(world, "p-privacy")
    empty = officer.get("/deid").text
    assert "No folder was de-identified yet" in empty
    assert "oathward deid FOLDER" in empty
    run(world)
    page = officer.get("/deid").text
    assert '<progress max="700" value="120"' in page
    assert "120 of 700" in page
    assert "running" in page
    assert "let none of it leave" in officer.get("/deid/job-1").text


def test_a_job_that_says_nothing_any_more_has_stopped(world):  # noqa: F811  the fixture
    silent = views.silent_us(world.site.settings.deid.file_time_s_max)
    run(world, ago_us=silent + 60_000_000)
    officer = viewer(world, "p-privacy")
    assert "/deid/job-1" in officer.get("/deid?state=stopped").text
    assert "No job fits these filters" in officer.get("/deid?state=running").text
    assert "run the same <code>oathward deid</code> command again" in officer.get("/deid/job-1").text


def test_one_has_its_figures_and_what_was_held_with_what_to_do(world):  # noqa: F811  the fixture
    held = [FileDone("SEVERAL", held=[(2, "patient.several", "PID")])]
    held += [FileDone(f"F{n:03}", held=[(-1, "deid.format-unknown", "file")]) for n in range(150)]
    run(
        world,
        progress=Progress(files=151, done=151, held=150, partly_held=1, figures=FIGURES),
        held=held,
        ended=True,
    )
    officer = viewer(world, "p-privacy")
    page = officer.get("/deid/job-1").text
    for words in (
        "1,234",
        "the patient&#39;s names (patient.name)",
        "hl7v2",
        "Taken back",
        "150 files, 1 in part",
    ):
        assert words in page, words
    for told in (Reason.PATIENTS_SEVERAL, Reason.DEID_FORMAT):
        assert FILES[told].remedy.partition("`")[0] in page, "what to do with a file, not with a message"
    seen, after = re.findall(r"<code>(F\d{3}|SEVERAL)</code>", page), page
    assert len(seen) == HELD_ROWS
    following = re.search(r'href="([^"]*after=[^"#]*)[^"]*" rel="next"', after).group(1)
    seen += re.findall(r"<code>(F\d{3}|SEVERAL)</code>", officer.get(following.replace("&amp;", "&")).text)
    assert sorted(seen) == sorted(one.name for one in held)
    several = officer.get("/deid/job-1?reason=patient.several").text
    assert re.findall(r"<code>(F\d{3}|SEVERAL)</code>", several) == ["SEVERAL"]
    assert "unit 2" in several
    assert "Nothing is held for this reason" in officer.get("/deid/job-1?reason=nothing").text


def test_jobs_are_filtered_and_paged(world):  # noqa: F811  the fixture
    for n in range(ROWS + 3):
        run(world, f"job-{n:03}", project="other" if n == 7 else "registry")
    officer = viewer(world, "p-privacy")
    first = officer.get("/deid").text
    older = re.search(r'href="([^"]*before=[^"]*)" rel="next"', first).group(1).replace("&amp;", "&")
    ids = re.compile(r'<a class="id" href="/deid/(job-\d{3})"')
    assert ids.findall(first) + ids.findall(officer.get(older).text) == [
        f"job-{n:03}" for n in range(ROWS + 2, -1, -1)
    ]
    assert ids.findall(officer.get("/deid?project=other").text) == ["job-007"]
    assert ids.findall(officer.get("/deid?profile=none").text) == []


def test_an_auditor_looks_and_a_clinician_has_no_such_page(world):  # noqa: F811  the fixture
    run(world)
    assert viewer(world, "p-auditor").get("/deid/job-1").status_code == 200
    assert viewer(world, "p-nurse").get("/deid").status_code == 404
    assert viewer(world, "p-nurse").get("/deid/job-1").status_code == 404
    assert viewer(world, "p-privacy").get("/deid/none").status_code == 404


def test_the_api_says_the_same(world):  # noqa: F811  the fixture
    held = [FileDone(f"F{n}", held=[(-1, "deid.format-unknown", "file")]) for n in range(3)]
    run(world, progress=Progress(files=3, done=3, held=3, figures=FIGURES), held=held, ended=True)
    officer = viewer(world, "p-privacy")
    shown = {"oathward-token": token_of(officer.get("/deid").text), "origin": BASE}
    [job] = officer.get("/api/v1/deid/jobs?state=ended", headers=shown).json()["items"]
    assert (job["id"], job["state"], job["held"], job["removed"]) == (
        "job-1",
        "ended",
        3,
        {"patient.name": 1_234},
    )
    assert job["authorities"] == {"undeclared": 2, "systems": 1, "patients": 5}
    assert officer.get("/api/v1/deid/jobs?state=running", headers=shown).json()["items"] == []
    assert officer.get("/api/v1/deid/jobs/job-1", headers=shown).json() == job
    assert officer.get("/api/v1/deid/jobs/none", headers=shown).status_code == 404
    first = officer.get("/api/v1/deid/jobs/job-1/held?limit=2", headers=shown).json()
    rest = officer.get(f"/api/v1/deid/jobs/job-1/held?limit=2&after={first['next']}", headers=shown).json()
    assert [one["file"] for one in first["items"] + rest["items"]] == ["F0", "F1", "F2"]
    assert rest["next"] == ""
