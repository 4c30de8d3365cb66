"""The wire: what other systems may say to Daybook and Daybook to them; every version ever published stays."""
