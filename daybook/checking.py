"""`daybook verify`: the chain and the streams by the ledger's own checks, the views by folding the book once more."""

import re
from collections.abc import Callable

from daybook.app import App
from ledger.verify import Check, kept_head
from ledger.verify import verify as verify_book
from runs.errors import Refused


def head_of(given: str) -> tuple[int, bytes]:
    """A head that was kept elsewhere, BATCHES:HASH as the row `chain` of `daybook verify` told it; Refused if it is none."""
    found = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", given)
    if found is None:
        raise Refused("a head is the number of batches, a colon and the 64 letters of the hash, as `daybook verify` told them")
    return int(found[1]), bytes.fromhex(found[2])


def verify(app: App, progress: Callable[[int], None], kept: tuple[int, bytes] | None = None) -> list[Check]:
    """Every check; the live tables are compared with tables folded from nothing, which are thrown away."""
    checks = list(verify_book(app.database, progress))
    if kept is not None:
        checks.append(kept_head(app.database, *kept))
    app.views.catch_up()
    live = {view: hash_ for view, hash_, _ in app.views.hashes()}
    fresh = {view: hash_ for view, hash_, _ in app.views.fresh_hashes(progress=progress)}
    for view, hash_ in sorted(live.items()):
        if view not in fresh:
            continue  # written with the book itself: the chain has been checked above
        same = fresh[view] == hash_
        detail = hash_[:16] if same else f"live {hash_[:16]}, folded from the book {fresh[view][:16]}: run `daybook rebuild`"
        checks.append(Check(f"view {view}", same, detail))
    return checks
