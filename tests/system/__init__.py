"""The product as a user drives it, against the oracle: real processes, a real broker, a real Postgres."""
