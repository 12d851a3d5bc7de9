"""What there is, how it does, and how it is used: schema, status, help."""
