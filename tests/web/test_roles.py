"""Every operation against every role: the table is generated from the application, so that none is forgotten."""

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.routing import Mount

from daybook.app import App
from daybook.settings import Settings
from daybook.web.app import create_app
from daybook.web.docs import needed_role, operations
from daybook.web.people import ROLES
from tests.web.conftest import Web

OPEN = {
    ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/docs"), ("GET", "/openapi.json"),
    ("GET", "/sign-in"), ("GET", "/sign-in/oidc"), ("GET", "/sign-in/oidc/callback"), ("GET", "/sign-in/oidc/leave"),
    ("GET", "/sign-in/{secret}"), ("POST", "/sign-in/{secret}"), ("POST", "/sign-out"), ("MOUNT", "/static"),
}  # fmt: skip
"""What everybody may reach, and nothing else."""

DECIDING = {
    "/api/v1/invoices/generate", "/api/v1/items/hold", "/api/v1/items/release", "/api/v1/items/adjust", "/api/v1/events",
    "/api/v1/payments/match",
    *(f"/api/v1/invoices/{{number:path}}/{what}" for what in ("credit", "void", "write-off")),
}  # fmt: skip


WRITING_NOTHING = {"/api/v1/preview"}
"""A POST for its body's sake: what facts would bill, which a viewer may ask."""


def described() -> FastAPI:
    """The application without an installation behind it: enough to list what it offers."""
    from pathlib import Path
    from types import SimpleNamespace
    from typing import cast

    return create_app(cast(App, SimpleNamespace(settings=Settings(home=Path("/nowhere")))), secure=False)


def offered() -> Iterator[tuple[str, str, str | None]]:
    """(method, path, role) of everything that can be asked for."""
    web = described()
    for route in operations(web):
        for method in sorted(route.methods or ()):
            yield method, route.path or "", needed_role(route)


OFFERED = sorted(offered(), key=str)
GUARDED = [(method, path, role) for method, path, role in OFFERED if role is not None]


def test_only_the_listed_is_open_to_everybody() -> None:
    web = described()
    found = {(method, path) for method, path, role in OFFERED if role is None}
    for route in web.routes:
        if isinstance(route, Mount):
            found.add(("MOUNT", route.path))
        elif getattr(route, "path", None) == "/openapi.json":
            found.add(("GET", "/openapi.json"))
    assert found == OPEN


def test_every_write_needs_a_biller_and_the_dead_letters_an_admin() -> None:
    roles = {(method, path): role for method, path, role in OFFERED}
    assert {path for method, path in roles if method == "POST" and path.startswith("/api/")} == DECIDING | WRITING_NOTHING
    for (method, path), role in roles.items():
        if method != "GET" and (method, path) not in OPEN and path not in WRITING_NOTHING:
            assert role in ("biller", "admin"), path
    assert roles["GET", "/api/v1/dead-letters"] == "admin"


def test_openapi_names_every_operation_of_the_api_and_its_role() -> None:
    schema = described().openapi()
    named = {
        (method.upper(), path): operation.get("x-daybook-role")
        for path, operations_ in schema["paths"].items()
        for method, operation in operations_.items()
    }
    wanted = {
        (method, re.sub(r":\w+}", "}", path)): role
        for method, path, role in OFFERED
        if path.startswith("/api/") or path in ("/healthz", "/readyz", "/metrics")
    }
    assert named == wanted
    for path, operations_ in schema["paths"].items():
        for operation in operations_.values():
            assert operation["description"], path
            if path.startswith("/api/"):
                assert {"200", "401", "403", "422", "429", "503"} <= set(operation["responses"])


@pytest.fixture(scope="module")
def clients(web: Web) -> dict[str, TestClient]:
    """Everybody: each role with a session and with a token."""
    made = {f"{role} session": web.browser(role) for role in ROLES}
    return made | {f"{role} token": web.program(role) for role in ROLES}


@pytest.mark.parametrize(("method", "path", "role"), GUARDED, ids=str)
def test_operation_is_open_from_its_role_up_and_to_nobody_else(
    web: Web, clients: dict[str, TestClient], method: str, path: str, role: str
) -> None:
    url = re.sub(r"\{[^}]*\}", "x", path)
    nobody = web.anonymous().request(method, url)
    if path.startswith("/api/"):
        assert (nobody.status_code, nobody.headers["content-type"]) == (401, "application/problem+json")
        assert nobody.json()["what_to_do"]
    else:
        assert (nobody.status_code, nobody.headers["location"]) == (303, "/sign-in")
    for name, client in clients.items():
        answer = client.request(method, url)
        if ROLES.index(name.split()[0]) >= ROLES.index(role):
            assert answer.status_code not in (401, 403, 500), (name, answer.text)
        else:
            assert answer.status_code == 403, (name, answer.status_code)
            if path.startswith("/api/"):
                assert answer.json()["type"] == "urn:daybook:problem:not-allowed"


@pytest.mark.parametrize("path", sorted(DECIDING))
@pytest.mark.parametrize("body", [b"", b"{", b"\x00", b"\xff\xfe", b"[" * 20_000, b"null", b'"' + b"x" * 900_000 + b'"'], ids=len)
def test_nobody_learns_what_is_wrong_with_a_body_that_they_may_not_send(
    web: Web, clients: dict[str, TestClient], path: str, body: bytes
) -> None:
    headers = {"content-type": "application/json"}
    assert web.anonymous().post(path, content=body, headers=headers).status_code == 401
    for who in ("viewer session", "viewer token"):
        assert clients[who].post(path, content=body, headers=headers).status_code == 403
    assert clients["biller token"].post(path, content=body, headers=headers).status_code in (400, 422)
