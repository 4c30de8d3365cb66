"""Derived tables: the queue, the charges, the documents and what waits; each can be rebuilt from the book alone."""
