-- What people decided about whole documents; written in each decision's own transaction (product K2).
CREATE TABLE books.credited (             -- a credit note that a person asked for
    client_id    text NOT NULL,
    number       text NOT NULL,           -- the credit note's
    of_number    text NOT NULL,           -- the document it takes from
    mode         text NOT NULL,           -- rebill: the items return to the queue; waive: they do not
    credited_by  text NOT NULL,
    credited_at  timestamptz NOT NULL,
    reason       text NOT NULL,           -- ciphertext
    PRIMARY KEY (client_id, number)
);
CREATE INDEX credited_of_idx ON books.credited (of_number);

CREATE TABLE books.voids (
    client_id    text NOT NULL,
    number       text NOT NULL,
    credited_by  text NOT NULL,           -- the credit note that takes the invoice back
    voided_by    text NOT NULL,
    voided_at    timestamptz NOT NULL,
    reason       text NOT NULL,           -- ciphertext
    position     bigint NOT NULL,
    PRIMARY KEY (client_id, number)
);

CREATE TABLE books.write_offs (           -- what the provider gave up of an invoice, as it was said
    client_id      text NOT NULL,
    number         text NOT NULL,
    event_id       uuid NOT NULL,
    currency       text NOT NULL,
    amount_minor   bigint NOT NULL,
    written_off_on date NOT NULL,
    written_off_by text NOT NULL,
    written_off_at timestamptz NOT NULL,
    reason         text NOT NULL,         -- ciphertext
    position       bigint NOT NULL,
    PRIMARY KEY (client_id, number, event_id)
);

CREATE TABLE books.settlements (          -- the invoices of which it was told that nothing is left to pay
    client_id   text NOT NULL,
    number      text NOT NULL,
    settled_on  date NOT NULL,
    position    bigint NOT NULL,
    PRIMARY KEY (client_id, number)
);
-- How many of them nobody was told of yet is asked by each look at the publisher.
CREATE INDEX settlements_position_idx ON books.settlements (position);
-- The worker looks for them after each batch of facts.
CREATE INDEX open_items_settled_idx ON books.open_items (settled_on) WHERE settled_on IS NOT NULL;

-- An adjustment that gives up what a line is worth never takes more than that (ADR 019).
ALTER TABLE books.adjustments ADD COLUMN waives boolean NOT NULL DEFAULT false;

GRANT SELECT, INSERT, UPDATE, DELETE ON books.credited, books.voids, books.write_offs, books.settlements TO daybook_app;
