-- Whether an invoice takes credit is said by the terms of its day, not by the last ones: accounts are settled anew, a few at
-- a time, by whoever follows the book next (projections/receivables_heal.py).
UPDATE books.settled SET last_on = '9999-12-31', last_rank = -1, last_at = NULL, last_step = 0, last_name = '';
