"""One file that has the whole database, and the way back from it."""
