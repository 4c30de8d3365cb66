"""What the business does across streams, one file each: generate invoices, hold, release, adjust, open a day."""
