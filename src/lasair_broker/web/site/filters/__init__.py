"""The pages of filters."""
