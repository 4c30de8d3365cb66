-- The queue adds up every due line: it reads the key's index alone, a twentieth of the table with its whole due lines.
ALTER TABLE books.due_lines
    DROP CONSTRAINT due_lines_pkey,
    ADD PRIMARY KEY (client_id, item_key, line_no)
        INCLUDE (due_on, currency, kind, unit, quantity, net_minor, charge_type, service_from, service_to);
