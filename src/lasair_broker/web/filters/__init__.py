"""Filters: saved queries that run on the stream."""
