"""How a command leaves when it is told to."""

import signal
import sys


def leave_in_order() -> None:
    """A closed terminal or a plain `kill` ends a command as Ctrl-C does: its transaction and its embedded server with it."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` stays in force
            signal.signal(number, lambda received, _frame: sys.exit(128 + received))
