"""What the demo MSP agreed with each client for the contract year from 1 May 2026: fees, seats, rates, one allowance.

Every contract was renewed on 1 May or starts later, so of these only May's periods are due at the end of that month.
Acme Corp, Sable & Stone and Fellgate have none: their time bills at the charge type's own rate.
"""

from datetime import date

from daybook.demo_catalogue import PROJECT, REMOTE, ZERO, Fact
from daybook.demo_seats import WORKPLACE
from daybook.demo_terms import allowance, contract, devices, rate, recurring, seats


def contracts() -> list[Fact]:
    """Every contract state: most say it all once, two clients change theirs."""
    return [*_fixed_fees(), *_growing_clients(), *_longer_periods(), *_two_contracts_each(), *_nothing_due()]


def _fixed_fees() -> list[Fact]:
    # The line "Overage" stands in for what allowances and usage thresholds will bill by themselves (C5): backup
    # storage beyond the 2 TB included, read off the backup console by hand until Daybook meters it.
    overage = recurring("overage", "Overage", 1400, "0.50", timing="arrears", account="4300", prorate=False)
    return [
        contract("buildco", "managed", "Managed Services", [recurring("managed", "Managed Services", 1, "3200")]),
        contract(
            "buildco",
            "managed",
            "Managed Services",
            [recurring("managed", "Managed Services", 1, "3300")],
            revision=2,
            effective_from=date(2026, 6, 1),
        ),
        contract("fenwick", "support", "On-site support and backup", [overage]),
        contract(
            "swilly-bay",
            "managed",
            "Managed Services",
            [seats("managed", "Managed Services", WORKPLACE, "35", systems=("intune", "rmm"))],
        ),
        contract(
            "wexcombe",
            "managed",
            "Managed Services",
            [
                recurring("managed", "Managed Services", 18, "45"),
                rate("project-rate", "Project rate", PROJECT, "125"),
            ],
        ),
    ]


def _growing_clients() -> list[Fact]:
    """A second surgery from 22 May (10 of 31 days) and a client that began on 16 May (16 of 31 days)."""
    surgery = recurring("managed", "Managed Services", 28, "31")
    remote = rate("remote-rate", "Remote Support rate", REMOTE, "120")
    second = recurring("managed-elland", "Managed Services, Elland surgery", 10, "31")
    start = date(2026, 5, 16)
    return [
        contract("hollin-bank", "managed", "Managed Services", [surgery, remote]),
        contract(
            "hollin-bank",
            "managed",
            "Managed Services",
            [surgery, second, remote],
            revision=2,
            effective_from=date(2026, 5, 22),
        ),
        contract(
            "marlow-finch",
            "managed",
            "Managed Services",
            [recurring("managed", "Managed Services", 20, "31")],
            effective_from=start,
        ),
    ]


def _longer_periods() -> list[Fact]:
    handbooks = recurring("handbooks", "Printed e-safety handbooks", 40, "4.50", frequency="annual", tax_code=ZERO)
    renewals = recurring("renewals", "Firewall and certificate renewals", 4, "165", frequency="annual")
    training = recurring("training", "Security awareness training", 46, "12", frequency="quarterly")
    return [
        contract(
            "thornfield",
            "network",
            "Managed network",
            [devices(), recurring("network", "Managed network", 1, "70")],
            frequency="quarterly",
        ),
        contract(
            "northmoor",
            "schools",
            "Schools support",
            [recurring("managed", "Managed Services", 3, "420", timing="arrears"), handbooks],
        ),
        contract("peakline", "centres", "Centres", [recurring("wifi", "Guest Wi-Fi", 4, "60"), renewals]),
        contract(
            "coldridge",
            "practices",
            "Managed Services",
            [
                recurring("managed", "Managed Services", 5, "390"),
                training,
                rate("remote-rate", "Remote Support rate", REMOTE, "100"),
            ],
        ),
    ]


def _two_contracts_each() -> list[Fact]:
    """Two depots, neither the default, and a client whose second contract is an allowance (quarterly, in arrears)."""
    wakefield = [
        recurring("managed", "Managed Services, Wakefield depot", 1, "1150"),
        rate("remote-rate", "Remote Support rate", REMOTE, "120"),
    ]
    hull = [recurring("managed", "Managed Services, Hull depot", 1, "920", timing="arrears")]
    clinics = [
        recurring("managed", "Managed Services", 30, "36"),
        recurring("backup", "Server backup", 6, "55", timing="arrears", account="4300"),
    ]
    return [
        contract("tarn", "wakefield", "Wakefield depot", wakefield, is_default=False),
        contract("tarn", "hull", "Hull depot", hull, is_default=False),
        contract("yarrow", "managed", "Managed Services", clinics),
        contract("yarrow", "hours", "Clinical systems hours", [allowance()], is_default=False, frequency="quarterly"),
    ]


def _nothing_due() -> list[Fact]:
    first_of_june = date(2026, 6, 1)
    practice = [recurring("managed", "Managed Services", 12, "42")]
    remote = [rate("remote-rate", "Remote Support rate", REMOTE, "165", currency="EUR")]
    return [
        contract("ferncliffe", "managed", "Managed Services", practice, effective_from=first_of_june),
        contract("liffey", "support", "Support on demand", remote, currency="EUR"),
    ]
