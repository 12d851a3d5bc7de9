"""People and their collaborations."""
