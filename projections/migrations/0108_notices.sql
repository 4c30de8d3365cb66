-- What clients were, or are about to be, told by e-mail; written in each decision's own transaction (product R4).
CREATE TABLE books.notices (
    client_id     text NOT NULL,
    notice_id     text NOT NULL,          -- made of what it is about, so that one notice is claimed once
    kind          text NOT NULL,          -- new_invoice, statement or due_reminder
    rule          text NOT NULL,          -- what asked for it: new_invoice, due/+7, statement/day/1, statement/weekday/5
    numbers       text[] NOT NULL,        -- the documents it is about
    currency      text NOT NULL,
    due_on        date,                   -- of a due reminder
    claimed_on    date NOT NULL,          -- the business day
    claimed_at    timestamptz NOT NULL,
    balance_minor bigint NOT NULL,        -- what was to be paid when it was claimed
    addresses     text[] NOT NULL,        -- ciphertext
    message_id    text NOT NULL,
    state         text NOT NULL,          -- claimed, sent, failed, unknown or withdrawn
    tries         int NOT NULL,
    permanent     boolean NOT NULL,       -- a failure that is not tried again
    last_at       timestamptz,            -- of the last try, or of the withdrawal
    reason        text,                   -- a word where withdrawn, else ciphertext: servers quote addresses
    position      bigint NOT NULL,        -- of what was last said of it
    PRIMARY KEY (client_id, notice_id)
);
CREATE INDEX notices_pending_idx ON books.notices (claimed_at)
    WHERE state IN ('claimed', 'unknown') OR (state = 'failed' AND NOT permanent);
CREATE INDEX notices_claimed_on_idx ON books.notices (claimed_on);
CREATE INDEX notices_told_idx ON books.notices (position) WHERE state = 'sent' OR permanent;

CREATE VIEW reporting.notices AS
SELECT client_id, notice_id, kind, rule, numbers, currency, due_on, claimed_on, claimed_at, balance_minor,
    cardinality(addresses) AS addresses, state, tries, permanent, last_at,
    CASE WHEN state = 'withdrawn' THEN reason END AS withdrawn_reason
FROM books.notices;

GRANT SELECT, INSERT, UPDATE, DELETE ON books.notices TO daybook_app;
GRANT SELECT ON reporting.notices TO daybook_app, daybook_reader;
