"""What a machine must have before anything is started on it: a file for each matter."""
