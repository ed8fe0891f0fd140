"""The API's own description."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.web.page import BEGIN, Route, calls

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.view import View


def description(view: View) -> Response:
    """Give the OpenAPI document; it says nothing of this site."""
    from oathward.web.openapi import document

    return view.json(document(calls()))


API = (Route("/api/v1/openapi.json", description, public=True, action=BEGIN, api=True),)
