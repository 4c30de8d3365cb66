-- Derived tables. Nothing here is truth: every row can be rebuilt from the book (`daybook rebuild`).
CREATE SCHEMA books;

-- Written in the transaction of the decision itself: what guards against billing twice.
CREATE TABLE books.accounts (
    client_id text PRIMARY KEY,             -- its row lock serialises people's commands on one client
    decided_position bigint NOT NULL DEFAULT 0   -- position of the last decision on this client
);
CREATE TABLE books.posted (
    client_id text NOT NULL,
    item_key text NOT NULL,
    posting_no int NOT NULL,                -- 1, 2, ...: the key is the guarantee that nothing is billed twice
    due_on date NOT NULL,
    number text NOT NULL,
    net_minor bigint NOT NULL,
    currency text NOT NULL,
    posting bytea NOT NULL,
    PRIMARY KEY (client_id, item_key, posting_no)
);
CREATE TABLE books.posted_entries (         -- which ticket's item holds an invoiced entry
    client_id text NOT NULL,
    time_entry_id text NOT NULL,
    item_key text NOT NULL,
    PRIMARY KEY (client_id, time_entry_id)
);
CREATE TABLE books.series (
    counter text PRIMARY KEY,
    last_number bigint NOT NULL,
    last_issued_on date NOT NULL
);
CREATE TABLE books.holds (
    client_id text NOT NULL,
    item_key text NOT NULL,
    held_by text NOT NULL,
    held_at timestamptz NOT NULL,
    reason text NOT NULL,                   -- cipher text
    PRIMARY KEY (client_id, item_key)
);
CREATE TABLE books.adjustments (
    client_id text NOT NULL,
    item_key text NOT NULL,
    adjustment_id text NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    adjusted_by text NOT NULL,
    adjusted_at timestamptz NOT NULL,
    reason text NOT NULL,                   -- cipher text
    event_id text NOT NULL,
    PRIMARY KEY (client_id, item_key, adjustment_id)
);
CREATE TABLE books.business_day (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    day date NOT NULL
);
CREATE TABLE books.invoices (
    client_id text NOT NULL,
    number text NOT NULL,
    kind text NOT NULL,
    invoice_id text NOT NULL,
    series text NOT NULL,
    currency text NOT NULL,
    issued_on date NOT NULL,
    due_on date NOT NULL,
    net_minor bigint NOT NULL,
    tax_minor bigint NOT NULL,
    total_minor bigint NOT NULL,
    saw_position bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (client_id, number)
);
CREATE UNIQUE INDEX invoices_number_idx ON books.invoices (number);
CREATE TABLE books.invoice_lines (
    client_id text NOT NULL,
    number text NOT NULL,
    line_no int NOT NULL,
    item_key text NOT NULL,
    description text NOT NULL,
    charge_type text,
    service_from date NOT NULL,
    service_to date NOT NULL,
    quantity numeric NOT NULL,
    unit text NOT NULL,
    unit_price numeric NOT NULL,
    currency text NOT NULL,
    net_minor bigint NOT NULL,
    tax_code text NOT NULL,
    tax_percent numeric NOT NULL,
    tax_minor bigint NOT NULL,
    account text NOT NULL,
    corrects_number text,
    corrects_line_no int,
    rule text NOT NULL,
    arithmetic text NOT NULL,
    source_count int NOT NULL,
    source_sha256 text NOT NULL,
    source_event_ids text[] NOT NULL,
    PRIMARY KEY (client_id, number, line_no)
);

-- Follow the log, a batch at a time, under one advisory lock.
CREATE TABLE books.positions (
    view text PRIMARY KEY,
    position bigint NOT NULL
);
CREATE TABLE books.terms (                  -- every state ever said of the catalogue, a client or its contracts
    subject text NOT NULL,
    event_id uuid NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (subject, event_id)
);
CREATE TABLE books.time_entries (
    client_id text NOT NULL,
    time_entry_id text NOT NULL,
    revision int,
    status text NOT NULL,
    ticket_id text,
    project_id text,
    contract_id text,
    agent_id text,
    approver_id text,
    charge_type text,
    worked_on date,
    started_at timestamptz,
    ended_at timestamptz,
    worked_minutes int,
    deducted_minutes int,
    billable_minutes int,
    note text,                              -- cipher text
    first_occurred_at timestamptz,
    first_event_id text,
    state bytea NOT NULL,
    PRIMARY KEY (client_id, time_entry_id)
);
CREATE INDEX time_entries_id_idx ON books.time_entries (time_entry_id);
CREATE INDEX time_entries_ticket_idx ON books.time_entries (client_id, ticket_id) WHERE ticket_id IS NOT NULL;
CREATE TABLE books.clients (
    client_id text PRIMARY KEY,
    name text NOT NULL,
    currency text NOT NULL,
    time_zone text NOT NULL,
    status text NOT NULL,
    terms_days int NOT NULL
);
CREATE TABLE books.charges (
    client_id text NOT NULL,
    item_key text NOT NULL,
    ticket_id text,
    due_on date NOT NULL,
    stays boolean NOT NULL,
    currency text,
    rated_minor bigint NOT NULL,
    adjusted_minor bigint NOT NULL,
    posted_minor bigint NOT NULL,
    due_minor bigint NOT NULL,
    explanation text NOT NULL,
    source_event_ids text[] NOT NULL,
    PRIMARY KEY (client_id, item_key)
);
CREATE INDEX charges_ticket_idx ON books.charges (client_id, ticket_id) WHERE ticket_id IS NOT NULL;
CREATE TABLE books.due_lines (
    client_id text NOT NULL,
    item_key text NOT NULL,
    line_no int NOT NULL,                   -- within the item
    due_on date NOT NULL,
    description text NOT NULL,
    charge_type text,
    kind text NOT NULL,
    service_from date NOT NULL,
    service_to date NOT NULL,
    quantity numeric NOT NULL,
    unit text NOT NULL,
    unit_price numeric NOT NULL,
    currency text NOT NULL,
    net_minor bigint NOT NULL,
    corrects_number text,
    corrects_line_no int,
    rule text NOT NULL,
    arithmetic text NOT NULL,
    line bytea NOT NULL,                    -- the whole due line, as issuing takes it
    PRIMARY KEY (client_id, item_key, line_no)
);
CREATE TABLE books.waiting (
    client_id text NOT NULL,
    what text NOT NULL,
    id text NOT NULL,
    reason text NOT NULL,
    since timestamptz NOT NULL,
    minutes int NOT NULL,
    currency text,
    served_on date,
    PRIMARY KEY (client_id, what, id)
);

GRANT USAGE ON SCHEMA books TO daybook_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA books TO daybook_app;
