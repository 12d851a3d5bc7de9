"""Pages of catalogues and events of others."""
