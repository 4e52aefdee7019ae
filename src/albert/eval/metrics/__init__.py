"""One measure a file; each takes the rank of the first right sheet, from 1, or None."""
