"""The rules of the business: values in, events out; no clock, no randomness, no I/O, no third party."""
