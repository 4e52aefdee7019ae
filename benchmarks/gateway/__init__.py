"""What ``benchmarks/gateway.py`` measures: programs, one a process, and what loads them."""
