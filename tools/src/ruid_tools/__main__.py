"""`python -m ruid_tools` is the `ruid` command."""

from ruid_tools.cli import main

if __name__ == "__main__":
    main()
