"""The web application: pages, API, sign-in and what operators ask, behind one door."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from daybook.app import App
from daybook.web import api, docs, oidc, operate, signin
from daybook.web.guard import Guard
from daybook.web.limits import Limits
from daybook.web.problems import add_handlers
from daybook.web.provider import provider_of
from daybook.web.requests import Recorded

STATIC: Final = Path(__file__).parent / "static"


def create_app(app: App, *, secure: bool, limits: Limits | None = None) -> FastAPI:
    """The application of an opened installation; `secure` says that people reach it by https.

    Pages find the installation as `request.app.state.daybook` and the person as `request.state.person`.
    """
    web = FastAPI(title="Daybook", version="1", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    web.state.daybook = app
    web.state.secure = secure
    web.state.limits = limits or Limits()
    web.state.oidc = provider_of(app.settings)
    add_handlers(web)
    web.include_router(operate.router)
    web.include_router(oidc.router)
    web.include_router(signin.router)
    web.include_router(api.router)
    web.include_router(docs.router)
    docs.describe(web)
    if find_spec("daybook.web.pages") is not None:
        from daybook.web import pages

        web.include_router(pages.router)
    if STATIC.is_dir():
        web.mount("/static", StaticFiles(directory=STATIC), name="static")
    # The last added is the outermost.
    web.add_middleware(Guard, public_url=app.settings.public_url)
    web.add_middleware(Recorded, secure=secure)
    return web
