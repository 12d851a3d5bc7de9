"""Lasair: an alert broker for astronomy."""
