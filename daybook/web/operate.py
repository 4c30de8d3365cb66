"""For whoever runs Daybook: is it alive, is it ready, what does it count."""

from typing import Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel

from daybook.doctor import ready
from daybook.web import metrics
from daybook.web.access import NotAllowed, identify, installation
from daybook.web.paging import answered
from daybook.web.problems import DECLARED

router = APIRouter(tags=["operating"])
_SAYS_NO: Final[dict[int | str, dict[str, Any]]] = {status: DECLARED[status] for status in (401, 403, 421, 429, 503)}
_SCRAPED: Final = {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus' text."}


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Check(BaseModel):
    """One thing that must be well."""

    check: str
    ok: bool
    detail: str
    what_to_do: str


class Readiness(BaseModel):
    """Whether people can be served."""

    status: Literal["ready", "not ready"]
    checks: list[Check]


@router.get("/healthz")
async def healthz() -> Alive:
    """The process answers; it waits for nothing, not even a thread."""
    return Alive()


@router.get(
    "/readyz", response_model=Readiness, responses={503: {"model": Readiness, "description": "Not ready; `checks` says why."}}
)
def readyz(request: Request) -> Response:
    """Database, migrations, each view's lag; with Kafka each thread of a worker and each publisher: 503 unless all are well."""
    findings = ready(installation(request))
    well = all(finding.ok for finding in findings)
    checks = [{"check": f.check, "ok": f.ok, "detail": f.detail, "what_to_do": f.what_to_do} for f in findings]
    return answered({"status": "ready" if well else "not ready", "checks": checks}, 200 if well else 503)


def may_scrape(request: Request) -> None:
    """Open where only this machine is served; with a public URL a token is needed, for the figures are business."""
    app = installation(request)
    if app.settings.public_url is None:
        return
    person = identify(request)
    if not person.may("viewer"):
        raise NotAllowed(person, "viewer")


@router.get("/metrics", response_class=Response, responses={**_SAYS_NO, 200: _SCRAPED})
def scrape(request: Request) -> Response:
    """What is counted, for Prometheus. With DAYBOOK_PUBLIC_URL set it needs a token of any role."""
    may_scrape(request)
    return Response(metrics.scrape(installation(request)), media_type=CONTENT_TYPE_PLAIN_0_0_4)
