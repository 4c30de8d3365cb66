"""Why a person's command may be refused."""


class Refused(Exception):
    """The command was refused; nothing changed. The message says what is wrong and what to do."""


class NothingThere(Refused):
    """No such item, document or client."""


class AsOfBeforeSeries(Refused):
    """A document may not be dated before the last one of its series."""
