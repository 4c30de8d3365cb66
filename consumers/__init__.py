"""Where facts that other systems publish come into the ledger: exactly once, in order, whatever fails on the way."""
