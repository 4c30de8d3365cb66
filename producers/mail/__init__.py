"""E-mail: what clients are told of documents, statements and due days, sent at least once and shown once."""
