"""``oathward jobs``: jobs are listed, one is shown with what was held and why, and none that is not there."""

import json

import pytest

from oathward.app import build
from oathward.cli.main import run
from oathward.core.clock import micros
from oathward.core.db import write
from oathward.core.settings import load
from oathward.jobs import actions
from oathward.jobs.model import Figures, FileDone, JobRow, Progress


@pytest.fixture
def job(data):
    site = build(load(data), "admin")
    at_us = micros(site.clock.now())
    figures = Figures(reasons={"deid.format-unknown": 1, "patient.several": 1})
    progress = Progress(files=3, done=3, written=1, held=2, figures=figures)
    held = [
        FileDone("AAAA", held=[(-1, "deid.format-unknown", "file")]),
        FileDone("BBBB", held=[(-1, "patient.several", "PID")]),
    ]
    with write(site.engine) as db:
        actions.begin(db, site.site, JobRow("job-1", "research", "registry", "Dana Lee", at_us, at_us))
    with write(site.engine) as db:
        actions.advance(db, site.site, "job-1", progress, held, now_us=at_us)
    with write(site.engine) as db:
        actions.stop(db, site.site, "job-1", now_us=at_us)
    site.keeper.close()
    site.engine.dispose()
    return "job-1"


def test_jobs_are_listed_and_one_is_shown(data, capsys, job):
    def go(*arguments):
        code = run(["jobs", *arguments, "--data", str(data), "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out.strip() else None, err

    [one] = go()[1]["jobs"]
    assert (one["id"], one["state"], one["done"], one["held"], one["by"]) == (
        job,
        "stopped",
        3,
        2,
        "Dana Lee",
    )
    assert go("--project", "registri")[1]["jobs"] == []
    assert "did you mean `registry`?" in go("--project", "registri")[2]
    assert not go("--project", "registry")[2]
    assert "did you mean `patient.several`?" in go(job, "--reason", "patient.severl")[2]
    told = go(job)[1]
    assert [(held["file"], held["reason"]) for held in told["held_items"]] == [
        ("AAAA", "deid.format-unknown"),
        ("BBBB", "patient.several"),
    ]
    assert [held["file"] for held in go(job, "--reason", "patient.several")[1]["held_items"]] == ["BBBB"]
    code, shown, _ = go(job, "--limit", "1")
    assert (code, shown["more"], len(shown["held_items"])) == (0, True, 1)
    code, _, err = go("--reason", "patient.several")
    assert code not in (0, 1)
    assert '"where":"--reason","why":"is of one job: name it' in err
    code, _, err = go("no-such")
    assert code == 66
    assert "there is none of this id" in err


def test_people_are_told_what_to_do(data, capsys, job):
    assert run(["jobs", "--data", str(data)]) == 0
    assert "3 of 3 files, 1 written, 2 held" in capsys.readouterr().out
    assert run(["jobs", job, "--data", str(data)]) == 0
    out = capsys.readouterr().out
    assert "the same `oathward deid` command goes on" in out
    assert "patient.several: " in out
    assert "What to do: split it by patient, and run again" in out
    assert "AAAA  whole  deid.format-unknown  file" in out
