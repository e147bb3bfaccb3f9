"""What is told of a network camera's address."""

import pytest

from ruid_edge.capture import make_source
from ruid_edge.capture.addresses import without_secrets
from ruid_edge.capture.recordings import Playback
from ruid_edge.errors import SourceMissing


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("rtsp://10.0.0.7/live", "rtsp://10.0.0.7"),
        ("rtsp://admin:s3cret@10.0.0.7:554/live", "rtsp://10.0.0.7:554"),
        ("rtsp://admin:s3@cret@10.0.0.7:554/live", "rtsp://10.0.0.7:554"),
        ("rtsp://admin:s3/cret@10.0.0.7/live", "rtsp://10.0.0.7"),
        ("rtsp://10.0.0.7:554/user=admin&password=s3cret&channel=1", "rtsp://10.0.0.7:554"),
        ("HTTP://cam.local/video?pwd=s3cret", "HTTP://cam.local"),
        ("http://cam.local?pwd=s3cret@1", "http://1"),
        ("rtsp://[fe80::1]:554/live", "rtsp://[fe80::1]:554"),
        ("/dev/video0", "/dev/video0"),
        ("0", "0"),
    ],
)
def test_an_address_is_told_without_what_may_be_a_password(address: str, told: str) -> None:
    assert without_secrets(address) == told
    assert "cret" not in told


def test_a_mistyped_address_is_no_file_and_keeps_its_password() -> None:
    with pytest.raises(SourceMissing, match="no address of a camera") as refused:
        make_source("rstp://admin:s3cret@10.0.0.7/live", Playback(), on_unreadable=lambda path: None)
    assert "s3cret" not in str(refused.value)
