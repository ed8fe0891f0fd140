"""Nothing in the repository names a registry's host or a path of one machine, holds a key, or is not source.

The patterns are put together from pieces, so that this file does not contain what it looks for.
"""

import hashlib
import re

import pytest
from tests.architecture import tracked
from tests.corpus import CORPUS, needs_corpus

DOT = r"\."
HOSTS = re.compile(
    "|".join(
        [
            rf"(?:{'py' + 'pi'}|{'python' + 'hosted'}|{'npm' + 'js'}|{'yarn' + 'pkg'}|{'crates'}){DOT}(?:org|com|io)\b",
            rf"\b(?:deb|ftp|security|snapshot|archive|cdn){DOT}(?:\w+{DOT})?{'deb' + 'ian'}{DOT}org\b",
            rf"https?://[^\s\"']*/(?:{'deb' + 'ian'}|{'sim' + 'ple'})(?:/|\b)",
            rf"proxy{DOT}{'go' + 'lang'}{DOT}org",
        ]
    )
)
SLASH = "/"
PLACES = re.compile(
    r"(?<![\w.$~}/-])"
    "(?:"
    + "|".join(
        [
            rf"{SLASH}{'wo' + 'rk'}{SLASH}",
            rf"{SLASH}{'ro' + 'ot'}\b",
            rf"{SLASH}{'ho' + 'me'}{SLASH}\w",
            rf"{SLASH}Users{SLASH}\w",
            rf"{SLASH}opt{SLASH}(?:py{'pi'}|{'whe' + 'els'})",
            rf"{SLASH}tmp{SLASH}bash_",
        ]
    )
    + ")"
)
KEY = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE" + r" KEY-----")
SIZE_BYTES_MAX = 1_000_000
ASSET_LINE_MAX = 1_000
"""Longer lines in scripts, styles and pages are what a minifier leaves."""


def hits(pattern: re.Pattern[str], texts: dict[str, str]) -> list[str]:
    return [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}"
        for name, text in texts.items()
        for match in pattern.finditer(text)
    ]


def minified(texts: dict[str, str]) -> list[str]:
    suffixes = (".js", ".mjs", ".cjs", ".ts", ".css", ".html", ".svg")
    return [
        name
        for name, text in texts.items()
        if re.search(r"[.-]min\.\w+$", name)
        or (name.endswith(suffixes) and max(map(len, text.splitlines()), default=0) > ASSET_LINE_MAX)
    ]


def test_no_host_of_a_registry():
    assert hits(HOSTS, tracked.texts()) == []


def test_no_path_of_one_machine():
    assert hits(PLACES, tracked.texts()) == []


def test_no_private_key():
    assert hits(KEY, tracked.texts()) == []


def test_nothing_minified_or_huge():
    assert minified(tracked.texts()) == []
    assert [str(p) for p in tracked.files() if p.stat().st_size > SIZE_BYTES_MAX] == []


def test_lock_files_name_no_address():
    locks = {
        name: text
        for name, text in tracked.texts().items()
        if name.endswith(("requirements.txt", "package-lock.json", "uv.lock"))
        or name.startswith("requirements/")
    }
    assert len(locks) >= 3
    assert (
        hits(re.compile(r'"resolved"|--(?:extra-)?index-url|--find-links|^source = ', re.MULTILINE), locks)
        == []
    )


@needs_corpus
def test_nothing_of_the_corpus_is_here():
    sizes = {p.stat().st_size: p for p in tracked.files() if p.stat().st_size > 64}
    ours = {hashlib.sha256(p.read_bytes()).digest() for p in tracked.files()}
    same_size = [p for p in CORPUS.rglob("*") if p.is_file() and p.stat().st_size in sizes]
    assert [
        str(p.relative_to(CORPUS)) for p in same_size if hashlib.sha256(p.read_bytes()).digest() in ours
    ] == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (HOSTS, "pip install -i https://" + "py" + "pi.org/simple x"),
        (HOSTS, "files." + "python" + "hosted.org"),
        (HOSTS, "https://registry." + "npm" + "js.org/x"),
        (HOSTS, "deb http://deb." + "deb" + "ian.org/deb" + "ian bookworm main"),
        (HOSTS, "http://mirror.example/deb" + "ian/ bookworm"),
        (PLACES, "cd " + "/wo" + "rk/main"),
        (PLACES, "'" + "/ro" + "ot/.ssh'"),
        (PLACES, "see " + "/ho" + "me/alice/x"),
        (KEY, "-----BEGIN EC PRIVATE" + " KEY-----"),
        (KEY, "-----BEGIN PRIVATE" + " KEY-----"),
    ],
)
def test_each_pattern_finds_what_it_is_for(pattern: re.Pattern[str], text: str):
    assert hits(pattern, {"x": "first line\n" + text}) == ["x:2"]


def test_ordinary_words_pass():
    fine = "../shared/corpus /network/homework/ artwork/x HTTP/1.1 https://example.org/fhir the /rooted tree"
    assert hits(HOSTS, {"x": fine}) == hits(PLACES, {"x": fine}) == []


def test_minified_files_are_found():
    assert minified({"a.min.js": "", "b.css": "x" * 1_001, "c.js": "short\n", "d.json": "x" * 2_000}) == [
        "a.min.js",
        "b.css",
    ]
