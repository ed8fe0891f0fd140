"""What tests of cleaned texts share: Safe Harbor whose texts and attachments are cleaned, and what stands in an output, decoded."""

import re
from base64 import b64decode
from binascii import Error as BinasciiError
from collections.abc import Iterator
from html import unescape

from oathward.core.labels import CLASSES
from oathward.deid.plan import HL7V2, Plan, Route, compile_plan
from oathward.deid.profile import Profile, builtin_texts, parse

FHIR = Route("fhir", "fhir")
LINES = '"note.text" = "text"\n"attachment" = "attachment"\n'


def profile(parameters: str = "", lines: str = LINES) -> Profile:
    """Give Safe Harbor with texts that are cleaned."""
    text = builtin_texts()["safe-harbor"].replace('name = "safe-harbor"', 'name = "texts"', 1)
    text = re.sub(r'(?m)^"(?:note\.text|attachment)".*\n', "", text)
    return parse("texts", text.replace("[actions]\n", f"[actions]\n{lines}", 1) + parameters)


def plan(route: Route = HL7V2, parameters: str = "", lines: str = LINES) -> Plan:
    return compile_plan(profile(parameters, lines), CLASSES, route)


_RUN = re.compile(rb"[A-Za-z0-9+/]{8,}={0,2}")
_TAG = re.compile(r"<[^>]*>")


def readings(data: bytes) -> Iterator[str]:
    """Give what a reader may see: the text, without tags and entities, and every run of base64 opened."""
    text = data.decode("utf-8", "replace")
    yield text
    yield unescape(_TAG.sub("", text))
    for run in _RUN.findall(data):
        try:
            opened = b64decode(run, validate=True).decode("utf-8", "replace")
        except (BinasciiError, ValueError):
            continue
        yield opened
        yield unescape(_TAG.sub("", opened))
