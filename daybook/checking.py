"""`daybook verify`: the chain and the streams by the ledger's own checks, the views by folding the book once more."""

from collections.abc import Callable

from daybook.app import App
from ledger.verify import Check
from ledger.verify import verify as verify_book


def verify(app: App, progress: Callable[[int], None]) -> list[Check]:
    """Every check; the live tables are compared with tables folded from nothing, which are thrown away."""
    checks = list(verify_book(app.database, progress))
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
