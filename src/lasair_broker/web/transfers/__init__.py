"""What people have fetched from, or sent to, other servers in the background."""
