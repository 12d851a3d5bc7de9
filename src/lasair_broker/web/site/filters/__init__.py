"""The pages of filters: what they find, how they fare, and how they are written."""
