-- "Corrected by" is asked of every line of a document that is looked at.
CREATE INDEX invoice_lines_corrects_idx ON books.invoice_lines (corrects_number, corrects_line_no)
    WHERE corrects_number IS NOT NULL;
