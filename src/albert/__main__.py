"""``python -m albert``."""

from albert.cli.main import main

if __name__ == "__main__":
    main()
