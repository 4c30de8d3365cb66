"""Every page that people work with, as one router."""

from fastapi import APIRouter

from daybook.web import (
    pages_clients,
    pages_correct,
    pages_dashboard,
    pages_generate,
    pages_invoices,
    pages_item,
    pages_paying,
    pages_payments,
    pages_queue,
    pages_reminder_policy,
    pages_reminders,
    pages_seats,
    pages_time,
    statements,
)
from daybook.web.forms import pages as forms

router = APIRouter(include_in_schema=False)
router.include_router(forms.router)  # the same: a form's address is longer than its client's
router.include_router(statements.pages)  # before a client's own page, whose address is anything
for _part in (
    pages_queue, pages_item, pages_generate, pages_invoices, pages_correct, pages_time, pages_clients, pages_payments,
    pages_paying, pages_dashboard, pages_seats, pages_reminders, pages_reminder_policy,
):  # fmt: skip
    router.include_router(_part.router)
