"""``python -m audiogen_cli`` is ``audiogen``."""

from audiogen_cli.app import main

if __name__ == "__main__":
    main()
