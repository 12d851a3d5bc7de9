"""Watchlists and their magnitude triggers."""
