"""Queries of users: those that run in the background, their results, and those that are saved."""
