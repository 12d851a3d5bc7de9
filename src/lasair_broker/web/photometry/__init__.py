"""Photometry that users add to objects, kept apart from that of the surveys."""
