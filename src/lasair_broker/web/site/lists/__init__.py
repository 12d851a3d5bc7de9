"""Pages of watchlists, watchmaps and annotators."""
