"""The HTTP API, version 1: what can be read, and what can be decided."""

from fastapi import APIRouter

from daybook.web import api_balances, api_read, api_write

router = APIRouter()
router.include_router(api_read.router)
router.include_router(api_balances.router)
router.include_router(api_write.router)
