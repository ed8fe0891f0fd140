"""The OpenAPI document of the JSON API, written from the route table: what is not a route is not in it.

Rules:
- The same for everybody: what somebody may stands in ``x-action``, and who may in docs/reference.
- Types come from the dataclasses that calls take and give; descriptions from their docstrings.

Deliberately absent: anything of a site; examples.

Source: OpenAPI 3.1.0; JSON Schema 2020-12.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from oathward import __version__
from oathward.web.calls import JSON, PROBLEM, schema_of
from oathward.web.page import Route

PROBLEM_SCHEMA = {
    "type": "object",
    "description": "What is wrong (RFC 9457); `code` is a reason of docs/reference/reasons.md.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "remedy": {"type": "string"},
    },
    "required": ["type", "title", "status"],
}


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Write the document."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Problem": PROBLEM_SCHEMA}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Oathward", "version": __version__},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def summary(route: Route) -> str:
    """Say what a call does, in its own words or its function's first line."""
    return route.call.words or (route.answer.__doc__ or "").strip().partition("\n")[0]


def parts(route: Route) -> list[str]:
    """Name what stands in the path."""
    return re.findall(r"{(\w+)(?::\w+)?}", route.path)


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    call = route.call
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in parts(route)
    ]
    for name, query in call.asks.items():
        schema: dict[str, Any] = {"type": "string"}
        if name == "limit":
            schema = {"type": "integer", "minimum": 1, "maximum": 200}
        elif query.known:
            schema = {"enum": list(query.known)}
        parameters.append({"name": name, "in": "query", "description": query.words, "schema": schema})
    made: dict[str, Any] = {
        "summary": summary(route),
        "operationId": f"{route.method.lower()}{re.sub(r'[^A-Za-z0-9]+', '_', route.path.removeprefix('/api/v1'))}".rstrip(
            "_"
        ),
        "x-action": route.action,
        "security": [] if route.public else [{"token": []}],
        "responses": {str(call.status): _answer(route, schemas), "default": _problem()},
    }
    if parameters:
        made["parameters"] = parameters
    if route.method in {"POST", "PUT", "PATCH"}:
        schema = _named(call.takes, schemas) if call.takes else {"type": "object"}
        made["requestBody"] = {"required": True, "content": {call.media: {"schema": schema}}}
    return made


def _answer(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    call = route.call
    if call.status == 204:
        return {"description": "Done."}
    if call.gives is None:
        return {"description": "A document.", "content": {JSON: {"schema": {}}}}
    schema = _named(call.gives, schemas)
    if call.listed:
        rows = {"items": {"type": "array", "items": schema}, "next": {"type": "string"}}
        schema = {
            "type": "object",
            "properties": rows,
            "required": ["items", "next"],
            "additionalProperties": False,
        }
    return {"description": summary(route), "content": {JSON: {"schema": schema}}}


def _problem() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": "What is wrong.", "content": {PROBLEM: {"schema": schema}}}


def _named(kind: type, schemas: dict[str, Any]) -> dict[str, Any]:
    schemas[kind.__name__] = schema_of(kind)
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
