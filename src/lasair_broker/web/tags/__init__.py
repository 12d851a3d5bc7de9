"""Tags: the words under which a user keeps objects, for that user's eyes only."""
