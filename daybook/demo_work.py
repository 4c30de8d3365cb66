"""The demo MSP's May for its clients, as its engineers worked it: one row a piece of work and how its approval went."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from daybook.demo_catalogue import CUSTOM, EMERGENCY, INTERNAL, ONSITE, PROJECT, REMOTE

Story = Literal[
    "approved",
    "approved twice",
    "approved in June",
    "approval came first",
    "sent twice",
    "amended, approved",
    "amended, undecided",
    "amendment came first",
    "rejected, corrected, approved",
    "rejected",
    "withdrawn",
    "unapproved",
    "moved here",
    "approved in May",
    "amended after invoicing",
    "withdrawn after invoicing",
]


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work on a day of May 2026 (0 is 30 April, 32 is 1 June) at a local time, in minutes, and what became of it."""

    day: int
    start: str
    minutes: int
    charge_type: str
    note: str
    story: Story = "approved"
    first_minutes: int = 0  # what the first revision said, where the story has two
    reason: str = ""
    deducted: int = 0
    approved_minutes: int | None = None
    ticket: str | None = None  # a label: rows of one client with the same one share a ticket
    project_id: str | None = None
    contract_id: str | None = None
    entry_id: str | None = None
    agent_id: str | None = None
    clock: bool = True
    client_id: str = ""


def work() -> Iterator[Work]:
    """All of May's work for clients, client by client."""
    for client_id, rows in _BY_CLIENT.items():
        for row in rows:
            yield replace(row, client_id=client_id)


# The PSA moved this entry from Thornfield to Peakline and sent it again under the same id. Whichever arrives first, no
# total changes: it is undecided for the one and approved at 0 minutes for the other.
MOVED_ENTRY = "TE-39990"

_ACME = (
    Work(1, "09:12", 22, REMOTE, "Outlook profile rebuilt after the mailbox move"),
    Work(5, "09:40", 50, REMOTE, "VPN drops every 20 min: MTU set on the client, watched for half an hour"),
    Work(5, "14:05", 8, REMOTE, "Password reset, MFA phone re-registered"),
    Work(6, "11:20", 41, REMOTE, "Shared calendar rights for the sales team", "sent twice"),
    Work(7, "10:02", 70, REMOTE, "Accounts package upgrade, year-end backup taken first"),
    Work(8, "16:10", 15, REMOTE, "Printer queue stuck on the first floor, driver replaced", clock=False),
    Work(11, "09:05", 33, REMOTE, "New starter: account, licence, groups, welcome sheet", "approval came first"),
    Work(12, "13:30", 68, REMOTE, "Slow file share: index rebuilt; 10 min waiting for the user", deducted=10),
    Work(13, "15:45", 25, REMOTE, "Phishing mail reported, purged from all mailboxes"),
    Work(14, "09:50", 12, REMOTE, "Distribution list for tenders"),
    Work(
        15,
        "10:15",
        85,
        REMOTE,
        "Laptop reimaged remotely after failed update",
        "amended, approved",
        first_minutes=60,
        reason="left out the data restore",
    ),
    Work(18, "11:00", 44, REMOTE, "Firewall rule for the new courier portal", "approved twice"),
    Work(19, "14:20", 20, REMOTE, "OneDrive sync errors, path too long"),
    Work(20, "10:30", 55, REMOTE, "Server certificate renewed and bound", "approved in June"),
    Work(21, "09:25", 28, REMOTE, "Leaver: mailbox to shared, devices wiped"),
    Work(22, "16:40", 10, REMOTE, "Teams room display settings"),
    Work(26, "09:15", 40, REMOTE, "Scan to mail broken since tenant change, relay set up"),
    Work(27, "13:10", 30, REMOTE, "Excel add-in blocked by policy, exception made"),
    Work(28, "15:00", 5, REMOTE, "Unlocked account"),
    Work(28, "15:20", 35, REMOTE, "Unlocked account", "withdrawn", reason="logged twice by mistake"),
    Work(29, "16:30", 45, REMOTE, "Backup job fails with VSS error, still looking", "unapproved"),
    Work(32, "09:20", 30, REMOTE, "Backup job: VSS writer repaired, test restore done"),
)

_FENWICK = (
    Work(6, "09:30", 130, ONSITE, "Comms cabinet re-patched and labelled, Newcastle"),
    Work(
        14,
        "13:00",
        55,
        ONSITE,
        "Replaced UPS batteries",
        "rejected, corrected, approved",
        first_minutes=95,
        reason="includes the drive; travel is not billed",
    ),
    Work(20, "10:00", 175, ONSITE, "Switch stack replaced on floor 2, ports tested"),
    Work(27, "14:15", 85, ONSITE, "Meeting room AV and two docking stations"),
)

_BUILDCO = (
    Work(1, "10:10", 35, INTERNAL, "Site cabin router swapped (in the fixed fee)"),
    Work(5, "11:00", 20, INTERNAL, "Tablet enrolment (in the fixed fee)"),
    Work(7, "09:30", 45, INTERNAL, "CAD workstation crash, GPU driver rolled back (in the fixed fee)"),
    Work(12, "14:00", 25, INTERNAL, "Drawing share permissions (in the fixed fee)"),
    Work(15, "09:45", 60, INTERNAL, "Monthly patch window follow-up (in the fixed fee)"),
    Work(19, "16:00", 15, INTERNAL, "MFA reset, site manager (in the fixed fee)"),
    Work(22, "11:30", 40, INTERNAL, "Plotter offline (in the fixed fee)"),
    Work(28, "10:20", 30, INTERNAL, "Two new starters (in the fixed fee)"),
)

_HOLLIN_BANK = (
    Work(5, "08:50", 35, REMOTE, "Imaging software licence server unreachable"),
    Work(8, "12:20", 20, REMOTE, "Reception PC: label printer driver"),
    Work(12, "09:00", 62, REMOTE, "Practice system update, tested with reception", "sent twice"),
    Work(15, "15:30", 14, REMOTE, "Card terminal lost network"),
    Work(19, "10:40", 48, REMOTE, "Elland surgery: tenant groups and shared mailbox prepared"),
    Work(22, "09:10", 27, REMOTE, "Elland surgery: first-day log-ins", "approval came first"),
    Work(26, "14:50", 31, REMOTE, "X-ray images not saving, disk quota raised"),
    Work(28, "11:15", 9, REMOTE, "Shared mailbox access"),
    Work(29, "10:05", 25, REMOTE, "Phone system hold music not playing", "unapproved"),
)

_THORNFIELD = (
    Work(7, "10:00", 100, ONSITE, "Access point survey, east wing"),
    Work(21, "13:00", 118, ONSITE, "Two access points moved, channels re-planned"),
    Work(13, "11:10", 40, REMOTE, "Booking kiosk will not start", "unapproved", entry_id=MOVED_ENTRY),
)

_MARLOW_FINCH = tuple(
    replace(row, project_id="onboarding")
    for row in (
        Work(11, "10:00", 180, PROJECT, "Onboarding: inventory of machines, licences, shares"),
        Work(12, "10:00", 150, PROJECT, "Onboarding: agent roll-out, first 12 workstations"),
        Work(13, "13:30", 112, PROJECT, "Onboarding: mail and calendar migration, pilot group"),
        Work(
            14,
            "14:00",
            97,
            PROJECT,
            "Onboarding: drawings share moved, permissions checked",
            "amendment came first",
            first_minutes=70,
            reason="the permissions check was missing",
        ),
        Work(18, "09:30", 128, PROJECT, "Onboarding: remaining workstations, old antivirus removed"),
        Work(19, "10:00", 90, PROJECT, "Onboarding: backup set and first restore test"),
        Work(20, "15:00", 63, PROJECT, "Onboarding: handover with the practice manager", "approved in June"),
        Work(29, "11:00", 50, PROJECT, "Onboarding: documentation", "unapproved"),
    )
)

_NORTHMOOR = (
    Work(6, "10:15", 20, CUSTOM, "Interactive board: no touch, cable checked", ticket="board"),
    Work(7, "12:05", 25, CUSTOM, "Interactive board: firmware", ticket="board"),
    Work(13, "09:20", 40, CUSTOM, "Exam laptops: secure browser installed, first set", ticket="exams"),
    Work(14, "09:15", 35, CUSTOM, "Exam laptops: second set", ticket="exams"),
    Work(20, "10:00", 50, CUSTOM, "Pupil data export for the new parents' app", ticket="export"),
    Work(21, "13:20", 50, CUSTOM, "Pupil data export: field mapping with the office", ticket="export"),
    Work(22, "11:40", 15, CUSTOM, "Pupil data export: run checked", ticket="export"),
    Work(29, "09:45", 30, CUSTOM, "Pupil data export: office asks for siblings too", "unapproved", ticket="export"),
)

_SWILLY_BAY = (
    Work(6, "09:00", 47, REMOTE, "Cold store sensor gateway lost its lease, reservation made"),
    Work(13, "14:30", 29, REMOTE, "Customs portal: certificate imported"),
    Work(18, "09:50", 75, REMOTE, "Weighing software moved to the new server"),
    Work(27, "10:35", 40, REMOTE, "Label templates after allergen change"),
    Work(28, "14:10", 30, REMOTE, "Email on the skipper's tablet", deducted=45),
)

_PEAKLINE = (
    Work(8, "13:45", 26, REMOTE, "Waiver kiosk stuck in update loop"),
    Work(
        13,
        "11:10",
        40,
        REMOTE,
        "Booking kiosk will not start (first logged on the wrong client)",
        "moved here",
        approved_minutes=0,
        entry_id=MOVED_ENTRY,
    ),
    Work(15, "10:50", 52, REMOTE, "Till sync: stock levels wrong after restore"),
    Work(22, "14:25", 11, REMOTE, "Wi-Fi voucher printer paper size"),
    Work(29, "09:35", 18, REMOTE, "Door access list export"),
)

_SABLE_STONE = (
    Work(5, "12:30", 38, REMOTE, "Quotation template macro"),
    Work(11, "13:15", 66, REMOTE, "CNC workstation: licence dongle after Windows update"),
    Work(13, "09:00", 80, ONSITE, "Workshop move: measured and agreed the cabling"),
    Work(20, "13:40", 24, REMOTE, "Broadband moved to the new workshop"),
    Work(26, "11:10", 44, REMOTE, "Mail on the new phones"),
    Work(27, "09:10", 45, ONSITE, "Router and access point mounted in the new workshop"),
)

_TARN = (
    Work(7, "13:00", 53, REMOTE, "Route planner slow: old indexes", contract_id="tarn-wakefield"),
    Work(8, "09:20", 34, REMOTE, "Gate camera viewer", contract_id="tarn-hull"),
    Work(12, "11:15", 17, REMOTE, "Handheld scanner pairing", contract_id="tarn-wakefield"),
    Work(14, "10:25", 60, REMOTE, "Customs manifest import fails, character set", contract_id="tarn-hull"),
    Work(19, "09:00", 88, REMOTE, "Telematics feed moved to new endpoint", contract_id="tarn-wakefield"),
    Work(21, "15:10", 13, REMOTE, "Guard hut phone", contract_id="tarn-hull"),
    Work(26, "15:30", 35, REMOTE, "Drivers' app log-in loop, both depots"),
    Work(28, "09:30", 21, REMOTE, "Shift planner export", contract_id="tarn-wakefield"),
    Work(29, "14:00", 40, REMOTE, "Weighbridge printer", "unapproved", contract_id="tarn-hull"),
)

_WEXCOMBE = tuple(
    replace(row, project_id="dms-migration" if row.charge_type == PROJECT else None)
    for row in (
        Work(6, "09:15", 240, PROJECT, "Document system: trial migration, litigation team"),
        Work(7, "09:15", 195, PROJECT, "Document system: mapping of matter numbers"),
        Work(11, "14:45", 31, REMOTE, "Dictation upload blocked"),
        Work(13, "09:30", 158, PROJECT, "Document system: second trial, permissions by matter"),
        Work(19, "13:00", 150, PROJECT, "Document system: training, our projector failed", approved_minutes=120),
        Work(20, "09:00", 172, PROJECT, "Document system: cut-over, property team"),
        Work(26, "13:00", 75, PROJECT, "Document system: search index tuned"),
        Work(28, "13:20", 42, REMOTE, "Court bundle tool: PDF sizes"),
        Work(
            28,
            "15:10",
            90,
            PROJECT,
            "Document system: archive rules",
            "amended, undecided",
            first_minutes=60,
            reason="rules for the closed matters added",
        ),
    )
)

_YARROW = (
    Work(8, "10:10", 65, REMOTE, "Clinical system: slow log-in, profile server", contract_id="yarrow-hours"),
    Work(12, "10:05", 25, CUSTOM, "Signage screens: content player set up", ticket="signage"),
    Work(15, "14:15", 30, CUSTOM, "Signage screens: schedule", ticket="signage"),
    Work(16, "07:40", 95, EMERGENCY, "Saturday clinic offline: core switch restarted", contract_id="yarrow-hours"),
    Work(18, "14:00", 40, REMOTE, "Clinical system: smartcard middleware", contract_id="yarrow-hours"),
    Work(21, "09:40", 22, CUSTOM, "Visitor tablet at the front desk", ticket="tablet"),
    Work(27, "11:00", 90, REMOTE, "Clinical system: update rehearsal", contract_id="yarrow-hours"),
)

_COLDRIDGE = (
    Work(1, "11:05", 36, REMOTE, "Ultrasound images to the record system"),
    Work(6, "15:00", 55, REMOTE, "Insurance claims mailbox rules"),
    Work(11, "10:20", 19, REMOTE, "Label printer, dispensary"),
    Work(12, "13:00", 58, ONSITE, "Ilkley: reception PC and screen replaced"),
    Work(14, "11:30", 72, REMOTE, "Appointment reminders not sent: gateway key renewed"),
    Work(20, "11:20", 40, REMOTE, "Lab results import", "sent twice"),
    Work(21, "10:45", 120, "CABLING", "Two data points in the new consulting room"),
    Work(22, "09:40", 84, ONSITE, "Otley: server moved out of the drug store"),
    Work(26, "09:50", 30, REMOTE, "Vet's home broadband", "rejected", reason="private line, not the client's"),
    Work(27, "15:20", 43, REMOTE, "Phone diversion rota"),
)

_FELLGATE = (
    Work(6, "13:10", 45, REMOTE, "Web shop mails land in junk, SPF corrected", "unapproved"),
    Work(12, "15:05", 30, REMOTE, "Till: end-of-day report", "unapproved"),
    Work(18, "13:20", 75, REMOTE, "Stock scanner roll-out, remote part", "unapproved"),
    Work(27, "16:00", 20, REMOTE, "Music player blocked by filter", "unapproved"),
)

_LIFFEY = (
    Work(7, "15:10", 50, REMOTE, "Data room rights for the auditors", "unapproved"),
    Work(14, "15:30", 35, REMOTE, "Conditional access for travel", "unapproved"),
    Work(19, "11:30", 120, PROJECT, "Warehouse gateway: first design", project_id="gateway"),
    Work(28, "12:10", 65, REMOTE, "Gateway sizing questions", "unapproved"),
)

_BY_CLIENT: dict[str, tuple[Work, ...]] = {
    "acme": _ACME,
    "buildco": _BUILDCO,
    "fenwick": _FENWICK,
    "hollin-bank": _HOLLIN_BANK,
    "thornfield": _THORNFIELD,
    "marlow-finch": _MARLOW_FINCH,
    "northmoor": _NORTHMOOR,
    "swilly-bay": _SWILLY_BAY,
    "peakline": _PEAKLINE,
    "sable-stone": _SABLE_STONE,
    "tarn": _TARN,
    "wexcombe": _WEXCOMBE,
    "yarrow": _YARROW,
    "coldridge": _COLDRIDGE,
    "fellgate": _FELLGATE,
    "liffey": _LIFFEY,
    "ferncliffe": (Work(21, "14:00", 75, ONSITE, "Survey before take-over", contract_id="ferncliffe-managed"),),
    "kestrel-print": (Work(19, "16:20", 25, REMOTE, "Caller says they are a client; not in the PSA yet"),),
}
