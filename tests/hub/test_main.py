"""`python -m ruid_hub`."""

import os
import subprocess
import sys

ASK = "import os, ruid_hub.__main__; print(os.environ['OPENBLAS_NUM_THREADS'])"


def test_a_hub_works_on_matrices_in_one_thread_unless_it_is_told_otherwise() -> None:
    plain = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    for told, expected in (({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")):
        ended = subprocess.run(
            [sys.executable, "-c", ASK], env=plain | told, capture_output=True, text=True, timeout=120, check=True
        )
        assert ended.stdout.strip() == expected
