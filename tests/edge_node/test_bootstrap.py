"""The node's log."""

import pytest
import structlog

from ruid_edge.bootstrap import configure_logging


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
