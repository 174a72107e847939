"""``python -m audiogen_core.executing`` is a worker process."""

from audiogen_core.executing.process import main

if __name__ == "__main__":
    main()
