"""The command line, `daybook ...`: one module a subject, put together here. A command imports what is heavy when it runs."""

import os
import sys
from contextlib import nullcontext
from typing import Any, NoReturn

import typer

from daybook import publishing
from daybook.canonical import one_line
from daybook.cli import (
    corrections,
    dead_letters,
    decisions,
    intake,
    invoicing,
    operation,
    payments,
    rehearsal,
    reminders,
    seats,
    statements,
    views,
)
from daybook.options import DONE, MISUSED, by
from daybook.web import commands as web

app = typer.Typer(
    help="Daybook: the event-sourced billing ledger for managed service providers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
# A new subject is a module with a typer app of its own, and one line here (`name=` makes it `daybook NAME ...`).
app.add_typer(intake.app)
app.add_typer(views.app)
app.add_typer(seats.app)
app.add_typer(statements.app)
app.add_typer(invoicing.app)
app.add_typer(rehearsal.app)
app.add_typer(reminders.app)
app.add_typer(decisions.app)
app.add_typer(corrections.app)
app.add_typer(payments.app)
app.add_typer(operation.app)
app.add_typer(dead_letters.app)
app.add_typer(publishing.app)
web_app = typer.Typer()
web.register(web_app)
app.add_typer(web_app)

MEANT_FOR_PEOPLE = {
    "SettingsError", "Refused", "Unclear", "EmbeddedPostgresError", "MigrationRefused", "ViewsBehind", "FileNotFoundError",
    "NotMigrated", "NobodyConsumes", "TopicsError", "ProduceError", "SourceUnavailable", "FileError", "ForbiddenSetting",
    "OperationalError", "PoolTimeout", "TopicsMissing", "BookBusy", "DemoNotPossible", "PermissionError", "MailSettingError",
    "Overtaken",
}  # fmt: skip
"""Errors whose message is all a person needs: by name, for their modules are imported only when needed."""


def main() -> None:
    """Runs a command; what is refused is one line on standard error and exit code 2."""
    from daybook.signals import leave_in_order

    shown = _log_to_stderr()
    leave_in_order()
    try:
        with one_line(sys.argv[1:], by()) if shown else nullcontext():
            raise SystemExit(app(standalone_mode=False) or DONE)
    except typer.Abort:
        _refuse("stopped")
    except Exception as error:
        if hasattr(error, "format_message"):
            _misused(error)
        if MEANT_FOR_PEOPLE & {cls.__name__ for cls in type(error).__mro__}:
            _refuse(str(error).strip() or type(error).__name__)
        raise


def _refuse(text: str) -> NoReturn:
    from daybook.printing import notice

    notice(f"daybook: {text.splitlines()[0]}")
    raise SystemExit(MISUSED)


def _misused(error: Any) -> NoReturn:
    """A wrong option or command; without any command there is the help to show."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        raise SystemExit(MISUSED)
    where = f" (see `{error.ctx.command_path} --help`)" if getattr(error, "ctx", None) is not None else ""
    _refuse(" ".join(error.format_message().replace("%Y-%m-%d", "YYYY-MM-DD").split()) + where)


def _log_to_stderr() -> bool:
    """One canonical line per unit of work: JSON, unless a terminal looks on; gives whether they are shown.

    A person's command shows warnings only, and its own line as well where DAYBOOK_LOG is `info`.
    """
    import logging

    import structlog

    terminal = sys.stderr.isatty()
    serves = len(sys.argv) > 1 and sys.argv[1] in ("worker", "web") and "--help" not in sys.argv
    level = logging.INFO if serves or os.environ.get("DAYBOOK_LOG") == "info" else logging.WARNING
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout if serves else sys.stderr),
        cache_logger_on_first_use=True,
    )
    return level == logging.INFO
