"""Writes the golden bytes of every message: `python -m core.wire.write_golden` in the folder tests.

Only run it to add messages: bytes that are there already are a promise to nodes in the field.
"""

import json

from core.wire.test_codec import GOLDEN, HUB_MESSAGES, NODE_MESSAGES
from ruid_core.wire.codec import encode


def write_golden() -> None:
    """Write the file anew."""
    golden = {
        "node": {name: encode(message).hex() for name, message in NODE_MESSAGES.items()},
        "hub": {name: encode(message).hex() for name, message in HUB_MESSAGES.items()},
    }
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_golden()
