"""Documents on paper: the invoice and the credit note as the client receives them, made by typst from what was issued."""
