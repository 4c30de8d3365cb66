"""Forms for what upstream systems may also say: clients, charge types and contracts, as the same records."""
