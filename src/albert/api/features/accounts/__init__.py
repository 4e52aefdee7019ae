"""Accounts: signing up, being accepted, signing in."""
