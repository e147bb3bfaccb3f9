"""The shared file that lets nodes of the same machine in unasked: whoever can read it is trusted.

Several containers share it as a volume, the demo's programs as a folder. The secret itself never crosses the wire.
"""

import secrets
from pathlib import Path

from ruid_hub.authority.files import write_secret
from ruid_hub.errors import BadSettings

_SECRET_BYTES = 32
_LEAST_CHARS = 16


def join_secret(join_file: str) -> bytes:
    """The secret in the file, which is made where it is not there; nothing where no file is named."""
    if not join_file:
        return b""
    path = Path(join_file)
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_secret(path, secrets.token_hex(_SECRET_BYTES).encode("ascii") + b"\n")
        secret = path.read_bytes().strip()
    except OSError as error:
        raise BadSettings(f"RUID_JOIN_FILE is '{join_file}', which cannot be used ({error.strerror})") from error
    if len(secret) < _LEAST_CHARS:
        raise BadSettings(f"RUID_JOIN_FILE is '{join_file}', whose secret is shorter than {_LEAST_CHARS} characters")
    return secret
