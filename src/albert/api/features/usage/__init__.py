"""What was asked of the models, by whom, and what it cost."""
