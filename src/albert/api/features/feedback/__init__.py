"""What readers think of answers."""
