"""`python -m ruid_edge`: runs a node with the settings of its environment."""

import os
import sys

from ruid_edge.bootstrap import run_node
from ruid_edge.errors import EdgeError
from ruid_edge.settings import load_settings


def main() -> int:
    """Run the node; return the exit code, having said in one line why it ended badly."""
    try:
        run_node(load_settings(os.environ))
    except EdgeError as error:
        sys.stderr.write(f"ruid edge: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
