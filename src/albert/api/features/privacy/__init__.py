"""What is kept of people, for how long, and who read it."""
