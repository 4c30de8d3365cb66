"""The HTTP API, version 1: what can be read, and what can be decided."""

from fastapi import APIRouter

from daybook.web import (
    api_balances,
    api_corrections,
    api_payments,
    api_preview,
    api_read,
    api_reminders,
    api_seats,
    api_write,
    statements,
)

router = APIRouter()
# What is asked for by more than a document's number comes first: the number itself may hold slashes.
for _part in (api_corrections, api_balances, api_payments, api_preview, api_seats, api_reminders):
    router.include_router(_part.router)
router.include_router(statements.api)
router.include_router(api_read.router)
router.include_router(api_write.router)
