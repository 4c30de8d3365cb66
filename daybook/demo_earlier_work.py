"""The demo MSP's March and April 2026 for its clients: less of it than in May, and what was changed after invoicing."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Final

from daybook.demo_catalogue import CUSTOM, ONSITE, PROJECT, REMOTE, RENEWED_ON
from daybook.demo_work import Work

MISSED_CALL: Final = "TE-39900"
"""The entry of which the billing lead took something off, before it was invoiced."""


def earlier_work() -> Iterator[Work]:
    """All of March's and April's work for clients, client by client."""
    for client_id, rows in _BY_CLIENT.items():
        for row in rows:
            yield replace(row, client_id=client_id)


def _march(day: int) -> int:
    """A day of March as `Work` counts days."""
    return (date(2026, 3, day) - RENEWED_ON).days + 1


def _april(day: int) -> int:
    return (date(2026, 4, day) - RENEWED_ON).days + 1


_BY_CLIENT: Final[dict[str, tuple[Work, ...]]] = {
    "acme": (
        Work(_march(3), "09:20", 40, REMOTE, "Mail flow rule for the new domain"),
        Work(_march(9), "11:10", 65, REMOTE, "Old file server: shares listed before the move"),
        Work(_march(17), "14:30", 95, REMOTE, "File server move, first wave"),
        Work(_march(24), "10:05", 25, REMOTE, "Mapped drives after the move"),
        Work(_april(8), "09:15", 50, REMOTE, "File server move, second wave"),
        Work(_april(14), "13:40", 20, REMOTE, "Scanner address book"),
        Work(_april(22), "10:30", 80, REMOTE, "Old file server switched off, backup kept"),
    ),
    "coldridge": (
        Work(_march(5), "10:15", 45, REMOTE, "Prescription printer"),
        Work(_march(12), "09:30", 110, ONSITE, "Otley: new reception desk cabled"),
        Work(_march(25), "14:00", 70, REMOTE, "Microchip database export"),
        Work(_april(9), "11:20", 30, REMOTE, "Rota calendar shared"),
        Work(_april(21), "15:10", 55, REMOTE, "Anaesthesia monitor on the guest network, moved"),
    ),
    "fellgate": (
        Work(_march(18), "09:45", 120, ONSITE, "Kendal: till network separated from the guests'"),
        Work(_april(15), "10:10", 90, ONSITE, "Kendal: second till"),
    ),
    "fenwick": (
        Work(_march(4), "09:30", 160, ONSITE, "Meeting room screens, floors 1 and 2"),
        Work(_march(19), "13:15", 75, ONSITE, "Access control server moved"),
        Work(_april(10), "10:00", 115, ONSITE, "Floor 2: survey of the switches"),
    ),
    "hollin-bank": (
        Work(_march(6), "09:10", 55, REMOTE, "Practice system: slow on Mondays, index rebuilt"),
        Work(_march(20), "12:05", 30, REMOTE, "New hygienist: account and rights"),
        Work(_april(9), "15:40", 65, REMOTE, "X-ray software update", entry_id=MISSED_CALL),
        Work(_april(23), "11:30", 25, REMOTE, "Card terminal paired anew"),
    ),
    "liffey": (
        Work(_march(10), "10:00", 90, REMOTE, "Data room set up for the audit"),
        Work(_march(23), "14:20", 45, REMOTE, "Sign-in alerts looked through"),
        Work(_april(13), "09:40", 120, REMOTE, "Laptops enrolled, Dublin office"),
        Work(_april(24), "16:00", 30, REMOTE, "Guest access for the auditors ended"),
    ),
    "northmoor": (
        Work(_march(11), "09:05", 70, CUSTOM, "Parents' evening booking page", ticket="booking"),
        Work(_march(16), "13:30", 40, CUSTOM, "Parents' evening booking page: second school", ticket="booking"),
        Work(_april(20), "10:15", 85, CUSTOM, "Exam room laptops imaged", ticket="imaging"),
    ),
    "peakline": (
        Work(_march(13), "11:00", 50, REMOTE, "Route-setting tablets enrolled"),
        Work(_april(16), "14:45", 35, REMOTE, "Member cards: reader driver"),
    ),
    "sable-stone": (
        Work(_march(9), "13:20", 60, REMOTE, "CAD licences moved to the new server"),
        Work(
            _march(17),
            "10:40",
            45,
            REMOTE,
            "CAD licences moved to the new server",
            "withdrawn after invoicing",
            reason="the same work, logged again",
        ),
    ),
    "swilly-bay": (
        Work(_march(5), "09:25", 45, REMOTE, "Weighing software: new server prepared"),
        Work(_march(24), "15:35", 26, REMOTE, "Cold store alarm mails", "approved in May"),
        Work(_april(14), "11:05", 60, REMOTE, "Grader terminals: five old ones retired"),
    ),
    "tarn": (
        Work(_march(6), "10:20", 75, REMOTE, "Route planner moved", contract_id="tarn-wakefield-2025"),
        Work(_march(18), "09:00", 40, REMOTE, "Gate camera storage", contract_id="tarn-hull-2025"),
        Work(_april(8), "13:05", 55, REMOTE, "Telematics feed: certificate", contract_id="tarn-wakefield-2025"),
        Work(_april(22), "09:10", 25, REMOTE, "Shift planner rights", contract_id="tarn-hull-2025"),
    ),
    "thornfield": (
        Work(_march(26), "10:00", 130, ONSITE, "Laundry building: survey before it joins the network"),
        Work(_april(13), "10:00", 175, ONSITE, "Laundry building: switch and four terminals"),
    ),
    "wexcombe": (
        Work(_march(10), "09:30", 150, PROJECT, "Document system: requirements with the partners", project_id="dms-migration"),
        Work(
            _march(12),
            "13:30",
            60,
            PROJECT,
            "Document system: inventory of the old one",
            "amended after invoicing",
            first_minutes=120,
            reason="an hour of it was our own tooling",
            project_id="dms-migration",
        ),
        Work(_march(25), "11:15", 35, REMOTE, "Dictation headsets"),
        Work(_april(15), "09:30", 180, PROJECT, "Document system: test environment", project_id="dms-migration"),
        Work(_april(23), "14:10", 45, REMOTE, "Court e-filing plug-in"),
    ),
    "yarrow": (
        Work(_march(11), "10:30", 60, CUSTOM, "Waiting room screen", ticket="screen"),
        Work(_april(21), "09:35", 75, CUSTOM, "Flu clinic booking form", ticket="form"),
    ),
}
