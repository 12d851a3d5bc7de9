"""What the page of an object shows: put together from the archive, for one viewer."""
