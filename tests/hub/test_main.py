"""`python -m ruid_hub`."""

import os
import subprocess
import sys

import pytest
import structlog

from ruid_hub.app import configure_logging

ASK = """
import os, sys
import ruid_tools.cli
assert "numpy" not in sys.modules
import {program}
print(os.environ["OPENBLAS_NUM_THREADS"])
"""


@pytest.mark.parametrize("program", ["ruid_hub.__main__", "ruid_tools.hub"])
def test_a_hub_works_on_matrices_in_one_thread_unless_it_is_told_otherwise(program: str) -> None:
    plain = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    for told, expected in (({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")):
        ended = subprocess.run(
            [sys.executable, "-c", ASK.format(program=program)],
            env=plain | told,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        assert ended.stdout.strip() == expected


def test_an_error_in_the_log_is_a_plain_traceback_without_the_values_of_variables(capsys: pytest.CaptureFixture[str]):
    configure_logging("info")
    password = "four " + "random words"
    try:
        int(password[:1])
    except ValueError:
        structlog.get_logger("test").exception("it failed")
    finally:
        structlog.reset_defaults()
    said = capsys.readouterr().err
    assert "ValueError: invalid literal" in said
    assert password not in said
