"""The demo MSP's contracts of the year that ended on 30 April 2026, as Daybook took them over on 1 March."""

from datetime import date
from typing import Final

from daybook.demo_catalogue import MOVED_ON, PROJECT, REMOTE, Fact, Fields
from daybook.demo_seats import WORKPLACE
from daybook.demo_terms import contract, devices, rate, recurring, seats

_LAST_DAY: Final = date(2026, 4, 30)


def earlier_contracts() -> list[Fact]:
    """Monthly contracts at last year's prices; Thornfield's devices cost then what they cost now."""
    return [
        _ended("buildco", "managed", [recurring("managed", "Managed Services", 1, "3100")]),
        _ended("fenwick", "support", [_storage()]),
        _ended("swilly-bay", "managed", [_workplaces()]),
        _ended(
            "wexcombe",
            "managed",
            [recurring("managed", "Managed Services", 18, "43"), rate("project-rate", "Project rate", PROJECT, "120")],
        ),
        _ended(
            "hollin-bank",
            "managed",
            [recurring("managed", "Managed Services", 26, "30"), rate("remote-rate", "Remote Support rate", REMOTE, "115")],
        ),
        _ended("thornfield", "network", [devices()]),
        _ended("northmoor", "schools", [recurring("managed", "Managed Services", 3, "400", timing="arrears")]),
        _ended("peakline", "centres", [recurring("wifi", "Guest Wi-Fi", 4, "55")]),
        _ended(
            "coldridge",
            "practices",
            [recurring("managed", "Managed Services", 5, "375"), rate("remote-rate", "Remote Support rate", REMOTE, "95")],
        ),
        _ended(
            "tarn",
            "wakefield",
            [
                recurring("managed", "Managed Services, Wakefield depot", 1, "1100"),
                rate("remote-rate", "Remote Support rate", REMOTE, "115"),
            ],
            is_default=False,
        ),
        _ended(
            "tarn",
            "hull",
            [recurring("managed", "Managed Services, Hull depot", 1, "900", timing="arrears")],
            is_default=False,
        ),
        _ended(
            "yarrow",
            "managed",
            [
                recurring("managed", "Managed Services", 30, "34"),
                recurring("backup", "Server backup", 6, "50", timing="arrears", account="4300"),
            ],
        ),
        _ended("liffey", "support", [rate("remote-rate", "Remote Support rate", REMOTE, "160", currency="EUR")], currency="EUR"),
    ]


def _storage() -> Fields:
    """Read off the backup console by hand, as in May."""
    return recurring("overage", "Overage", 1200, "0.50", timing="arrears", account="4300", prorate=False)


def _workplaces() -> Fields:
    return seats("managed", "Managed Services", WORKPLACE, "30", systems=("intune", "rmm"))


def _ended(client_id: str, key: str, lines: list[Fields], *, currency: str = "GBP", is_default: bool = True) -> Fact:
    return contract(
        client_id,
        f"{key}-2025",
        "Contract of 2025/26",
        lines,
        currency=currency,
        is_default=is_default,
        effective_from=MOVED_ON,
        ends_on=_LAST_DAY,
    )
