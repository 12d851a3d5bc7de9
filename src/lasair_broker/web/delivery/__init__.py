"""What is known of the delivery of hits."""
