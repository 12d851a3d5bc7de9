"""Comments: what people write about objects."""
