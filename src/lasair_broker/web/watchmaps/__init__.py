"""Watchmaps: regions of the sky."""
