"""`python -m ruid_hub`: runs a hub with the settings of its environment."""

import os
import sys

# Before NumPy is imported: a hub's matrices are small, and threads that share one wait for one another, spinning,
# wherever the machine has other work (docs/link.md has the figures).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from ruid_hub.app import run_hub
from ruid_hub.errors import HubError
from ruid_hub.settings import load_settings

__all__ = ["load_settings", "main", "run_hub"]


def main() -> int:
    """Run the hub; return the exit code, having said in one line why it ended badly."""
    try:
        run_hub(load_settings(os.environ))
    except HubError as error:
        sys.stderr.write(f"ruid hub: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
