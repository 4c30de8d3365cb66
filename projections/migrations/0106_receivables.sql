-- Money that came and went, as said, and what it pays by the rules R1-R3; all derived, whatever the order of arrival.
CREATE TABLE books.payments (
    client_id       text NOT NULL,
    payment_id      text NOT NULL,
    event_id        uuid NOT NULL,
    occurred_at     timestamptz NOT NULL,
    currency        text NOT NULL,
    amount_minor    bigint NOT NULL,      -- what the payer was charged, surcharge included
    surcharge_minor bigint NOT NULL,
    fee_minor       bigint NOT NULL,
    received_at     timestamptz NOT NULL,
    method          text NOT NULL,
    invoice_numbers text[] NOT NULL,
    provider        text,
    provider_ref    text,
    PRIMARY KEY (client_id, payment_id)
);
CREATE INDEX payments_id_idx ON books.payments (payment_id);

CREATE TABLE books.returns (
    client_id    text NOT NULL,
    refund_id    text NOT NULL,
    event_id     uuid NOT NULL,
    occurred_at  timestamptz NOT NULL,
    payment_id   text NOT NULL,
    kind         text NOT NULL,           -- refund or chargeback
    amount_minor bigint NOT NULL,
    currency     text,                    -- the payment's, where it is not said
    returned_at  timestamptz NOT NULL,
    PRIMARY KEY (client_id, refund_id)
);

CREATE TABLE books.open_items (
    client_id         text NOT NULL,
    number            text NOT NULL,
    currency          text NOT NULL,
    issued_on         date NOT NULL,
    due_on            date NOT NULL,
    total_minor       bigint NOT NULL,
    applied_minor     bigint NOT NULL,
    written_off_minor bigint NOT NULL,
    outstanding_minor bigint NOT NULL,
    status            text NOT NULL,
    settled_on        date,
    PRIMARY KEY (client_id, number)
);
CREATE INDEX open_items_due_idx ON books.open_items (due_on) WHERE outstanding_minor > 0;

-- A payment or a credit note as it stands: what of it pays invoices, went back, or is credit.
CREATE TABLE books.credits (
    client_id       text NOT NULL,
    source          text NOT NULL,        -- the payment's id or the credit note's number
    kind            text NOT NULL,        -- payment or credit_note
    currency        text NOT NULL,
    received_on     date NOT NULL,
    pays_minor      bigint NOT NULL,
    applied_minor   bigint NOT NULL,
    returned_minor  bigint NOT NULL,
    unapplied_minor bigint NOT NULL,
    PRIMARY KEY (client_id, source, kind)
);

CREATE TABLE books.allocations (
    client_id     text NOT NULL,
    currency      text NOT NULL,
    allocation_no int NOT NULL,
    source        text NOT NULL,
    number        text NOT NULL,
    amount_minor  bigint NOT NULL,        -- negative where a refund or chargeback took it back
    allocated_on  date NOT NULL,
    PRIMARY KEY (client_id, currency, allocation_no)
);

CREATE VIEW reporting.payments AS
SELECT p.client_id, p.payment_id, p.currency, p.amount_minor, p.surcharge_minor, p.fee_minor, p.received_at, c.received_on,
    p.method, p.invoice_numbers, p.provider, p.provider_ref, c.applied_minor, c.returned_minor, c.unapplied_minor
FROM books.payments p LEFT JOIN books.credits c ON c.client_id = p.client_id AND c.source = p.payment_id AND c.kind = 'payment';

CREATE VIEW reporting.allocations AS
SELECT client_id, currency, allocation_no, source, number, amount_minor, allocated_on FROM books.allocations;

CREATE VIEW reporting.balances AS
WITH day AS (SELECT coalesce((SELECT d.day FROM books.business_day d), current_date) AS day),
owed AS (
    SELECT client_id, currency, sum(outstanding_minor)::bigint AS outstanding_minor,
        coalesce(sum(outstanding_minor) FILTER (WHERE day.day > due_on), 0)::bigint AS overdue_minor,
        coalesce(sum(outstanding_minor) FILTER (WHERE day.day <= due_on), 0)::bigint AS current_minor,
        coalesce(sum(outstanding_minor) FILTER (WHERE day.day - due_on BETWEEN 1 AND 30), 0)::bigint AS days_1_30_minor,
        coalesce(sum(outstanding_minor) FILTER (WHERE day.day - due_on BETWEEN 31 AND 60), 0)::bigint AS days_31_60_minor,
        coalesce(sum(outstanding_minor) FILTER (WHERE day.day - due_on BETWEEN 61 AND 90), 0)::bigint AS days_61_90_minor,
        coalesce(sum(outstanding_minor) FILTER (WHERE day.day - due_on > 90), 0)::bigint AS days_over_90_minor
    FROM books.open_items, day GROUP BY 1, 2
),
credit AS (SELECT client_id, currency, sum(unapplied_minor)::bigint AS unapplied_minor FROM books.credits GROUP BY 1, 2)
SELECT client_id, currency, coalesce(outstanding_minor, 0) AS outstanding_minor, coalesce(overdue_minor, 0) AS overdue_minor,
    coalesce(unapplied_minor, 0) AS unapplied_minor, coalesce(current_minor, 0) AS current_minor,
    coalesce(days_1_30_minor, 0) AS days_1_30_minor, coalesce(days_31_60_minor, 0) AS days_31_60_minor,
    coalesce(days_61_90_minor, 0) AS days_61_90_minor, coalesce(days_over_90_minor, 0) AS days_over_90_minor
FROM owed FULL JOIN credit USING (client_id, currency);

CREATE VIEW reporting.ageing AS
SELECT o.client_id, o.currency, o.number, o.issued_on, o.due_on, o.total_minor, o.outstanding_minor,
    greatest(day.day - o.due_on, 0) AS days_overdue
FROM books.open_items o, (SELECT coalesce((SELECT d.day FROM books.business_day d), current_date) AS day) day
WHERE o.outstanding_minor > 0;

GRANT SELECT, INSERT, UPDATE, DELETE ON books.payments, books.returns, books.open_items, books.credits, books.allocations
    TO daybook_app;
GRANT SELECT ON reporting.payments, reporting.allocations, reporting.balances, reporting.ageing TO daybook_app, daybook_reader;
