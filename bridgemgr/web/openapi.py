"""OpenAPI 3.1 from the route table: what is documented is what is served."""

import re
from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from bridgemgr.web.model import ListQuery
from bridgemgr.web.problem import CONTENT_TYPE
from bridgemgr.web.routing import Call, Page, Route

PATH = "/api/v1/openapi.json"
_REF = "#/components/schemas/{model}"
# aiohttp writes {name} or {name:pattern}; OpenAPI knows the name alone.
_PARAMETER = re.compile(r"\{(\w+)(?::[^}]*)?\}")
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what was wrong, and what to do"},
        "code": {"type": "string", "description": "stable, for programs"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"where": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these routes."""
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = []
    for route in routes:
        if route.body is not None:
            models.append((route.body, "validation"))
        if _is_model(route.reply):
            models.append((route.reply, "serialization"))
    references, definitions = models_json_schema(_unique(models), ref_template=_REF)
    schemas = {**definitions.get("$defs", {}), "Problem": _PROBLEM}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(_PARAMETER.sub(r"{\1}", route.path), {})[route.method.lower()] = _operation(route, references)
    return {
        "openapi": "3.1.0",
        "info": {"title": "bridgemgr", "version": version},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def page(found: dict[str, Any]) -> Page:
    """The address under which the document is served."""
    body = orjson.dumps(found)

    async def show(_call: Call) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    return Page("GET", PATH, show, public=True)


def _operation(route: Route, references: Any) -> dict[str, Any]:
    success: dict[str, Any] = {"description": route.summary}
    if _is_model(route.reply):
        schema = references[route.reply, "serialization"]
        success["content"] = {"application/json": {"schema": _page_of(schema) if _is_list(route) else schema}}
    problem = {"description": "What went wrong", "content": {CONTENT_TYPE: {"schema": _problem_ref()}}}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": _operation_id(route),
        "tags": [route.tag],
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {str(route.status): success, "default": problem},
        "security": [] if route.public else [{"bearer": []}],
    }
    if route.body is not None:
        schema = references[route.body, "validation"]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _is_list(route: Route) -> bool:
    return route.query is not None and issubclass(route.query, ListQuery)


def _page_of(item: Any) -> dict[str, Any]:
    """The envelope of a list."""
    return {
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": {"type": "array", "items": item},
            "next": {"type": ["string", "null"], "description": "the cursor of the next page; null on the last"},
        },
    }


def _problem_ref() -> dict[str, str]:
    return {"$ref": _REF.format(model="Problem")}


def _operation_id(route: Route) -> str:
    words = re.sub(r"\W+", "_", _PARAMETER.sub(r"\1", route.path).removeprefix("/api/v1/")).strip("_")
    return f"{route.method.lower()}_{words}"


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema()
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": found}
        for name, found in schema.get("properties", {}).items()
    ]


def _is_model(reply: Any) -> bool:
    return isinstance(reply, type) and issubclass(reply, BaseModel)


def _unique(models: list[tuple[type[BaseModel], JsonSchemaMode]]) -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    return list(dict.fromkeys(models))
