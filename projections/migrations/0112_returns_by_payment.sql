-- A return belongs to its payment: two payments may each have one of the same id, and both went back.
ALTER TABLE books.returns DROP CONSTRAINT returns_pkey, ADD PRIMARY KEY (client_id, refund_id, payment_id);

-- What waits of them is listed by both ids (domain.receivables.return_name).
UPDATE books.waiting w SET id = replace(replace(w.id, '%', '%25'), '/', '%2F') || '/' || r.payment_id
FROM books.returns r
WHERE w.what = 'refund' AND r.refund_id = w.id AND (
    r.client_id = w.client_id
    OR r.client_id = '?' AND NOT EXISTS (SELECT FROM books.returns o WHERE o.client_id = w.client_id AND o.refund_id = w.id)
);

-- A payment may have the number of a credit note: what each pays is told apart.
ALTER TABLE books.allocations ADD COLUMN kind text NOT NULL DEFAULT 'payment';
UPDATE books.allocations a SET kind = 'credit_note'
WHERE EXISTS (
        SELECT FROM books.credits c WHERE c.client_id = a.client_id AND c.source = a.source AND c.kind = 'credit_note'
    )
    AND NOT EXISTS (SELECT FROM books.credits c WHERE c.client_id = a.client_id AND c.source = a.source AND c.kind = 'payment');
ALTER TABLE books.allocations ALTER COLUMN kind DROP DEFAULT;

CREATE OR REPLACE VIEW reporting.allocations AS
SELECT client_id, currency, allocation_no, source, number, amount_minor, allocated_on, kind FROM books.allocations;

-- What nobody can have paid takes nothing from what somebody can: not its id, not its owner.
ALTER TABLE books.payments ADD COLUMN possible boolean NOT NULL DEFAULT true;
UPDATE books.payments SET possible = false
WHERE NOT (
    currency ~ '^[A-Z]{3}$' AND amount_minor BETWEEN 1 AND 100000000000000 AND surcharge_minor BETWEEN 0 AND amount_minor
    AND received_at >= '1970-01-01 00:00+00' AND received_at < '2200-01-01 00:00+00'
    AND received_at <= occurred_at + interval '24 hours'
);
ALTER TABLE books.payments ALTER COLUMN possible DROP DEFAULT;
