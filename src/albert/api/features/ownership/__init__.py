"""Whose an object is, and what follows."""
