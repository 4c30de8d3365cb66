"""What the API says of itself: OpenAPI with the role each operation needs, and a page to read and try it, all served here."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from daybook.web.docs_events import event_schemas
from daybook.web.people import ROLES, Role
from daybook.web.problems import ProblemDetails
from daybook.web.shapes import MOST_EVENTS

router = APIRouter(include_in_schema=False)

DESCRIPTION: Final = """
Money is in integer minor units beside its currency, quantities and prices are decimal strings, days are ISO dates.

Send `Authorization: Bearer TOKEN` (`daybook token add NAME --role ROLE` makes one).
Lists go on where the `Link` header says. Writes take an `Idempotency-Key`.
What is refused is answered as problem+json: `detail` says what is wrong, `what_to_do` what to do.
"""

_ITEM: Final = {"client_id": "$response.body#/0/client_id", "item_key": "$response.body#/0/item_key", "reason": "why"}


def _link(operation: str, says: str, **given: Any) -> dict[str, Any]:
    return {"operationRef": f"#/paths/{operation}", "description": says, **given}


LINKS: Final[dict[str, dict[str, Any]]] = {
    "/api/v1/invoices": {
        "links": {
            "document": _link(
                "~1api~1v1~1invoices~1%7Bnumber%7D/get", "One document.", parameters={"number": "$response.body#/0/number"}
            )
        }
    },
    "/api/v1/queue": {
        "links": {
            "hold": _link("~1api~1v1~1items~1hold/post", "Hold a line (with lines=true).", requestBody=_ITEM),
            "release": _link("~1api~1v1~1items~1release/post", "Release a held line.", requestBody=_ITEM),
            "adjust": _link(
                "~1api~1v1~1items~1adjust/post", "Change what a line costs.", requestBody={**_ITEM, "amount_minor": -1}
            ),
            "waiting": _link(
                "~1api~1v1~1waiting/get",
                "What of a client waits.",
                parameters={"client": "$response.body#/0/client_id"},
            ),
            "generate": _link(
                "~1api~1v1~1invoices~1generate/post",
                "Issue what was seen.",
                requestBody={
                    "as_of": "2026-05-31",
                    "confirmed": [
                        {name: f"$response.body#/0/{name}" for name in ("client_id", "currency", "net_minor")},
                    ],
                },
            ),
        }
    },
    **{
        f"/api/v1/items/{done}": {
            "links": {
                "release": _link(
                    "~1api~1v1~1items~1release/post",
                    "Release it again.",
                    requestBody={"client_id": "$response.body#/client_id", "item_key": "$response.body#/item_key", "reason": "x"},
                )
            }
        }
        for done in ("hold", "adjust")
    },
}
"""Where an answer leads, for OpenAPI."""

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API – Daybook</title>
<link rel="stylesheet" href="/static/vendor/swagger/swagger-ui.css">
<link rel="icon" href="/static/vendor/swagger/favicon-32x32.png">
</head>
<body>
<main id="swagger-ui"></main>
<script src="/static/vendor/swagger/swagger-ui-bundle.js"></script>
<script src="/static/vendor/swagger/show.js"></script>
</body>
</html>
"""


@router.get("/docs")
def docs() -> HTMLResponse:
    """The API, to read and to try."""
    return HTMLResponse(_PAGE)


def describe(web: FastAPI) -> None:
    """Makes the application say which role an operation needs, and what a problem looks like."""

    def openapi() -> dict[str, Any]:
        if web.openapi_schema is None:
            web.openapi_schema = _described(web)
        return web.openapi_schema

    web.openapi = openapi  # type: ignore[method-assign]


def _described(web: FastAPI) -> dict[str, Any]:
    schema = get_openapi(title=web.title, version=web.version, description=DESCRIPTION.strip(), routes=web.routes)
    parts = schema.setdefault("components", {})
    ref = "#/components/schemas/{model}"
    problem = ProblemDetails.model_json_schema(ref_template=ref)
    schemas = parts.setdefault("schemas", {})
    event = event_schemas()
    event["Event"]["example"] = schemas["Event"]["example"]
    schemas.update({**problem.pop("$defs", {}), ProblemDetails.__name__: problem, **event})
    several = schema["paths"]["/api/v1/events"]["post"]["requestBody"]["content"]["application/json"]["schema"]["anyOf"][1]
    several |= {"minItems": 1, "maxItems": MOST_EVENTS}
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "__Host-daybook" if web.state.secure else "daybook"},
    }
    for route in operations(web):
        role = needed_role(route)
        for method in route.methods or ():
            operation = schema["paths"].get(route.path_format or "", {}).get(method.lower())
            if operation is None:
                continue
            for answer in operation["responses"].values():
                _only_problems(answer)
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _without_null(parameter["schema"])
            operation["responses"]["200"] |= LINKS.get(route.path_format or "", {})
            operation["security"] = [] if role is None else [{"token": []}, {"session": []}]
            if role is not None:
                operation["x-daybook-role"] = role
                operation["description"] = f"{operation.get('description', '')}\n\nNeeds the role {role}.".strip()
    return schema


def _only_problems(answer: dict[str, Any]) -> None:
    """FastAPI's own shape of a validation error is not what is sent."""
    content = answer.get("content", {})
    if "application/problem+json" in content:
        content.pop("application/json", None)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter may be left out, but no address can say null."""
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    return {**{name: value for name, value in schema.items() if name != "anyOf"}, **kinds[0]} if len(kinds) == 1 else schema


def operations(web: FastAPI) -> list[RouteContext]:
    """Every route with an operation behind it."""
    return [one for one in iter_route_contexts(web.routes) if isinstance(one.original_route, APIRoute)]


def needed_role(route: RouteContext) -> Role | None:
    """The role that a route asks for, or none where everybody may."""
    return highest_role(route.dependant)


def highest_role(dependant: Dependant) -> Role | None:
    """The role that something asks for; the highest where it asks twice."""
    roles = [role for role in _roles(dependant) if role in ROLES]
    return max(roles, key=ROLES.index) if roles else None


def _roles(dependant: Dependant) -> Iterator[Role]:
    role = getattr(dependant.call, "role", None)
    if role is not None:
        yield role
    for inner in dependant.dependencies:
        yield from _roles(inner)
