"""First the door, then the parcel: nobody learns what is wrong with a body that they may not send."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from daybook.web.access import require
from daybook.web.docs import highest_role

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Door(APIRoute):
    """A route whose body is complained about only to those who may send it: the framework reads it before it asks who comes."""

    def get_route_handler(self) -> Handler:
        """The framework's own handler, with the role asked for where the body could not be read."""
        handler = super().get_route_handler()
        role = highest_role(self.dependant)

        async def handled(request: Request) -> Response:
            try:
                return await handler(request)
            except (RequestValidationError, HTTPException):
                if role is not None and not hasattr(request.state, "person"):
                    await run_in_threadpool(require(role), request)
                raise

        return handled
