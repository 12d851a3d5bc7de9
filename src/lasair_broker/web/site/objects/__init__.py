"""The page of an object."""
