-- Accounts that an older version settled, by rules that may have been others: marked, and settled anew a few at a time by
-- whoever follows the book next (projections/receivables_heal.py). Until then nothing is carried on from them, and balances
-- are worked out from what was said. Clients of whom only something waits are marked too, under whatever currency there is.
UPDATE books.settled SET last_on = '9999-12-31', last_rank = -1, last_at = NULL, last_step = 0, last_name = '';
INSERT INTO books.settled
SELECT client_id, currency, '9999-12-31', -1, NULL, 0, '', 0
FROM (
    SELECT client_id, currency FROM books.payments
    UNION SELECT client_id, coalesce(currency, '') FROM books.returns
    UNION SELECT client_id, currency FROM books.invoices
) a
ON CONFLICT (client_id, currency) DO NOTHING;

CREATE INDEX settled_again_idx ON books.settled (client_id) WHERE last_rank = -1;
