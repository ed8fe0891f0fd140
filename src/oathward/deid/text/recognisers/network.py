"""E-mail addresses, URLs, domain names, IP and MAC addresses.

Source: 45 CFR 164.514(b)(2)(i)(F), (N), (O); RFC 5321, RFC 3986, RFC 4291 (forms only, kept narrow).
"""

from __future__ import annotations

import ipaddress

from oathward.deid.text.recogniser import Pattern, Recogniser

_TOP = (
    "com|org|net|edu|gov|mil|int|info|biz|health|hospital|clinic|care|doctor|med|io|co|us|uk|ca|au|nz|ie|de|fr|es|it|pt|nl|be|ch|at|"
    "se|no|dk|fi|hu|cy|ro|bg|hr|rs|si|sk|lt|lv|ee|ua|tr|lu|mt|za|sg|hk|tw|kr|ph|th|vn|pk|ng|ke"
    "|pl|cz|gr|ru|jp|cn|in|br|mx|ar|cl|pe|uy|ve|za|il|eu|cat|gal|eus|tv|me|name|pro|museum|aero|coop|mobi|jobs|tel|"
    "example|test|invalid|local"
)


def _address(text: str) -> float:
    try:
        found = ipaddress.ip_address(text.partition("/")[0].partition("%")[0])
    except ValueError:
        return 0
    # ``::`` and ``::1`` are written in texts for other things.
    return 0.95 if found.version == 4 or len(text) > 4 else 0


RECOGNISER = Recogniser(
    categories={"contact": "patient.contact", "device": "device.identity"},
    patterns=(
        Pattern(
            "contact",
            r"[0-9\pL][0-9\pL._%+'-]* ?@ ?[0-9\pL-]+(?:\.[0-9\pL-]+)+",
            sure=0.99,
            hint="@",
        ),
        # ``ana . b [at] mail dot example``
        Pattern(
            "contact",
            r"(?i)\b[0-9\pL_+-]{1,40}(?: ?(?:\.|[\[({]dot[\])}]) ?[0-9\pL_+-]{1,40}){0,3} ?[\[({] ?at ?[\])}] ?[0-9\pL-]{1,40}(?: ?(?:\.| dot |[\[({] ?dot ?[\])}]) ?[0-9\pL-]{1,40}){0,3}",
            sure=0.9,
            hint=r"(?i)[\[({] ?at ?[\])}]",
        ),
        Pattern(
            "contact",
            r"(?i)\b(?:https?|s?ftp|wss?|ldaps?)://[^\s<>\"']{1,140}[^\s<>\"'.,;:!?)\]]",
            sure=0.99,
            hint="://",
        ),
        Pattern(
            "contact", r"(?i)\bwww\.[^\s<>\"']+\.[^\s<>\"']*[^\s<>\"'.,;:!?)\]]", sure=0.98, hint=r"(?i)www\."
        ),
        Pattern(
            "contact",
            r"(?i)\b(?:www\.[a-z0-9-]{1,63}|[a-z0-9][a-z0-9-]{0,62})(?:\.[a-z0-9-]{1,40}){0,4}\.(?:"
            + _TOP
            + r")(?:/[^\s<>\"']{0,60}[^\s<>\"'.,;:!?)\]])?\b",
            check=lambda text: 0.9 if text == text.lower() or text[:4].lower() == "www." else 0.8,
            hint=r"(?i)[a-z0-9-]\.(?:" + _TOP + r")\b",
        ),
        Pattern(
            "device",
            r"\b(?:[0-9A-Fa-f]{2}([:-]))(?:[0-9A-Fa-f]{2}[:-]){4}[0-9A-Fa-f]{2}\b",
            sure=0.95,
            hint=r"[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]",
        ),
        Pattern(
            "device",
            r"\b[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\b",
            check=lambda text: 0.9 if any(c.isdigit() for c in text) else 0,
        ),
        Pattern(
            "contact",
            r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?:/\d{1,2})?\b",
            check=_address,
            hint=r"\d\.\d{1,3}\.\d{1,3}\.\d",
        ),
        Pattern(
            "contact",
            r"[0-9A-Fa-f:]{0,5}(?::[0-9A-Fa-f]{0,4}){2,7}(?::\d{1,3}(?:\.\d{1,3}){3})?(?:%[A-Za-z0-9]{1,16})?",
            check=_address,
            hint=r":[0-9A-Fa-f]{0,4}:",
        ),
        Pattern(
            "contact",
            r"(?:^|[\s(,;:])(@[A-Za-z_][A-Za-z0-9_]{2,30})",
            group=1,
            sure=0.8,
            hint=r"(?:^|[\s(,;:])@[A-Za-z_]",
        ),
    ),
)
"""Ones written with a space around the @ are mistyped, and as telling."""
