"""What FastAPI serves, a folder for each noun."""
