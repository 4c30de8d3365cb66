"""What the API says of itself: OpenAPI with the role each operation needs, and a page to read and try it, all served here."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from daybook.web.people import ROLES, Role
from daybook.web.problems import ProblemDetails

router = APIRouter(include_in_schema=False)

DESCRIPTION: Final = """
Money is in integer minor units beside its currency, quantities and prices are decimal strings, days are ISO dates.

Send `Authorization: Bearer TOKEN` (`daybook token add NAME --role ROLE` makes one).
Lists go on where the `Link` header says. Writes take an `Idempotency-Key`.
What is refused is answered as problem+json: `detail` says what is wrong, `what_to_do` what to do.
"""

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
    parts.setdefault("schemas", {}).update({**problem.pop("$defs", {}), ProblemDetails.__name__: problem})
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


def operations(web: FastAPI) -> list[RouteContext]:
    """Every route with an operation behind it."""
    return [one for one in iter_route_contexts(web.routes) if isinstance(one.original_route, APIRoute)]


def needed_role(route: RouteContext) -> Role | None:
    """The role that a route asks for, or none where everybody may; the highest where it asks twice."""
    roles = [role for role in _roles(route.dependant) if role in ROLES]
    return max(roles, key=ROLES.index) if roles else None


def _roles(dependant: Dependant) -> Iterator[Role]:
    role = getattr(dependant.call, "role", None)
    if role is not None:
        yield role
    for inner in dependant.dependencies:
        yield from _roles(inner)
