"""What keeps a node from its hub is said in words that tell what to do."""

import socket
import ssl

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.http11 import Response

from ruid_edge.enrolment import HubUnknown
from ruid_edge.uplink.outages import outage_reason


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), "another hub answers there"),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), "no secure connection"),
        (ConnectionRefusedError(111, "Connect call failed"), "start the hub"),
        (socket.gaierror(-2, "Name or service not known"), "no machine of this name"),
        (TimeoutError(), "no answer in time"),
        (ConnectionClosedError(None, None), "the connection broke"),
        (InvalidStatus(Response(503, "", Headers(), b"too many devices\n")), "now (503 too many devices)"),
        (HubUnknown("a hub is not to be heard: start one"), "start one"),
        (OSError(), "OSError"),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, Exception) else "",
)
def test_an_outage_is_told_in_words_that_help(error: Exception, said: str) -> None:
    assert said in outage_reason(error)
