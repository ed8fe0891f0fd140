"""What templates call stays what it is: no template gives one of these names to something else."""

from jinja2 import nodes

from oathward.web.page import pages
from oathward.web.render import HERE, Renderer

RENDER = Renderer("a-site", pages())
SHARED = {"view", "now", "here", "theme", "token"}


def hidden(source: str) -> set[str]:
    """Name what a template sets although all templates share it."""
    environment = RENDER._environment
    names = {
        name.name for name in environment.parse(source).find_all(nodes.Name) if name.ctx in {"store", "param"}
    }
    return names & (environment.globals.keys() | SHARED)


def test_no_template_hides_what_all_share():
    templates = sorted((HERE / "templates").glob("*.html"))
    assert len(templates) > 40
    assert {one.name: found for one in templates if (found := hidden(one.read_text()))} == {}


def test_one_that_does_is_found():
    assert hidden('{% set at = namespace(path="") %}') == {"at"}
    assert hidden("{% for number in [1] %}{{ number }}{% endfor %}") == {"number"}
