"""Every page that people work with, as one router."""

from fastapi import APIRouter

from daybook.web import pages_clients, pages_generate, pages_invoices, pages_item, pages_queue, pages_time

router = APIRouter(include_in_schema=False)
for _part in (pages_queue, pages_item, pages_generate, pages_invoices, pages_time, pages_clients):
    router.include_router(_part.router)
