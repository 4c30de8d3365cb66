-- A payment of nobody that waits no more is a client's by now, and stands there: the same money is listed once.
CREATE OR REPLACE VIEW reporting.payments AS
SELECT p.client_id, p.payment_id, p.currency, p.amount_minor, p.surcharge_minor, p.fee_minor, p.received_at, c.received_on,
    p.method, p.invoice_numbers, p.provider, p.provider_ref, c.applied_minor, c.returned_minor, c.unapplied_minor
FROM books.payments p LEFT JOIN books.credits c ON c.client_id = p.client_id AND c.source = p.payment_id AND c.kind = 'payment'
WHERE p.client_id <> '?' OR EXISTS (
    SELECT FROM books.waiting w WHERE w.client_id = p.client_id AND w.what = 'payment' AND w.id = p.payment_id
);
