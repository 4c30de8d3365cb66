-- How far each account is settled: what comes after that place is carried on from the tables, anything else settles it anew.
CREATE TABLE books.settled (
    client_id   text NOT NULL,
    currency    text NOT NULL,
    last_on     date NOT NULL,            -- the place of the last thing that counted, in the order in which things count
    last_rank   int NOT NULL,
    last_at     timestamptz,              -- none of a document or write-off, which have only a day
    last_step   int NOT NULL,
    last_name   text NOT NULL,
    allocations int NOT NULL,             -- how many there are: the next one's number is one more
    PRIMARY KEY (client_id, currency)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON books.settled TO daybook_app;

-- What carrying on looks up: it must not cost more where a client's history is longer.
CREATE INDEX invoices_position_idx ON books.invoices (position);
CREATE INDEX payments_numbers_idx ON books.payments USING gin (invoice_numbers) WITH (fastupdate = off);
CREATE INDEX returns_payment_idx ON books.returns (client_id, payment_id);
CREATE INDEX allocations_source_idx ON books.allocations (client_id, source);
CREATE INDEX open_items_open_idx ON books.open_items (client_id, currency) WHERE outstanding_minor > 0;
CREATE INDEX credits_unapplied_idx ON books.credits (client_id, currency) WHERE unapplied_minor > 0;

-- Accounts that were settled before this was noted: whatever comes next settles them anew.
INSERT INTO books.settled
SELECT client_id, currency, '9999-12-31', 0, NULL, 0, '', 0
FROM (SELECT client_id, currency FROM books.open_items UNION SELECT client_id, currency FROM books.credits) a;
