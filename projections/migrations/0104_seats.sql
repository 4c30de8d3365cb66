-- What each system counted of a client's seats, as said.
CREATE TABLE books.seat_counts (
    client_id   text NOT NULL,
    product     text NOT NULL,
    event_id    uuid NOT NULL,
    system      text NOT NULL,
    as_of       timestamptz NOT NULL,
    revision    bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    quantity    bigint NOT NULL,
    PRIMARY KEY (client_id, product, event_id)
);
CREATE INDEX seat_counts_as_of_idx ON books.seat_counts (client_id, product, system, as_of);

-- The segments of each seat line's periods; they add up to the item's line.
CREATE TABLE books.seat_charges (
    client_id     text NOT NULL,
    item_key      text NOT NULL,
    segment_no    int NOT NULL,
    contract_id   text NOT NULL,
    line_id       text NOT NULL,
    period_start  date NOT NULL,
    period_end    date NOT NULL,
    segment_start date NOT NULL,
    segment_end   date NOT NULL,
    quantity      bigint NOT NULL,
    unit_price    numeric,
    currency      text NOT NULL,
    net_minor     bigint NOT NULL,
    policy        text NOT NULL,
    PRIMARY KEY (client_id, item_key, segment_no)
);

CREATE VIEW reporting.seat_charges AS
SELECT client_id, contract_id, line_id, period_start, period_end, segment_start, segment_end, quantity, unit_price, currency,
    net_minor, policy
FROM books.seat_charges;

CREATE VIEW reporting.seat_counts AS
SELECT client_id, product, system, as_of, quantity, revision, occurred_at, event_id
FROM books.seat_counts;

GRANT SELECT, INSERT, UPDATE, DELETE ON books.seat_counts, books.seat_charges TO daybook_app;
GRANT SELECT ON reporting.seat_charges, reporting.seat_counts TO daybook_app, daybook_reader;
