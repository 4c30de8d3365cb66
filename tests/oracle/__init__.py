"""A second opinion: what the ledger, the queue, the waiting list and the dead letters must be, from the messages alone."""
