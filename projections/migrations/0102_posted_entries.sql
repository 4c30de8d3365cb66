-- An entry can stand in two tickets' items: one that took it in, and one whose credit is held back.
ALTER TABLE books.posted_entries DROP CONSTRAINT posted_entries_pkey;
ALTER TABLE books.posted_entries ADD PRIMARY KEY (client_id, time_entry_id, item_key);
CREATE INDEX posted_entries_item_idx ON books.posted_entries (client_id, item_key);
