"""Annotators: the topics under which people and programs speak of objects."""
