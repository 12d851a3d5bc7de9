"""The query page: one-off queries, their results, and saved ones."""
