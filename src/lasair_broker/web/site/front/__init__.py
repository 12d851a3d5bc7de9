"""The front page: what is new in the sky."""
