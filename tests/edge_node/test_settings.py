"""Settings come from the environment, and a bad one is named."""

import pytest

from ruid_edge.errors import BadSettings
from ruid_edge.settings import load_settings


def test_the_environment_fills_the_settings_and_options_win() -> None:
    settings = load_settings({"RUID_NODE_NAME": "door", "RUID_THREADS": "3", "HOME": "/"}, threads=1, source=None)
    assert (settings.node_name, settings.threads, settings.source) == ("door", 1, "picamera")


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert load_settings({"RUID_PACE": ""}).pace == "real"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("RUID_THREADS", "many", "RUID_THREADS"),
        ("RUID_THREADS", "0", "RUID_THREADS must be at least 1"),
        ("RUID_HUB_URL", "hub.local", "RUID_HUB_URL"),
        ("RUID_HUB_URL", "ws://hub.local:8765", "must look like wss://"),
        ("RUID_HUB_URL", "wss://hub.local:node", "must look like wss://"),
        ("RUID_HUB_URL", "wss://hub.local:70000", "must look like wss://"),
        ("RUID_HUB_URL", "wss://[fe80::1:8765", "must look like wss://"),
        ("RUID_THUMBNAILS", "sharp", "RUID_THUMBNAILS"),
        ("RUID_SPOOL_MAX_MB", "0.1", "RUID_SPOOL_MAX_MB"),
        ("RUID_NODE_NAME", "a\nb", "RUID_NODE_NAME"),
    ],
)
def test_a_bad_setting_is_named(variable: str, value: str, said: str) -> None:
    with pytest.raises(BadSettings, match=said) as refused:
        load_settings({variable: value})
    assert refused.value.exit_code == 78


@pytest.mark.parametrize(
    ("source", "cameras"),
    [
        ("clip.mp4", [("cam0", "door", "clip.mp4")]),
        ("'my clip.mp4'", [("cam0", "door", "my clip.mp4")]),
        ("in=0 out=/dev/video2", [("cam0", "in", "0"), ("cam1", "out", "/dev/video2")]),
        ("0 1", [("cam0", "door 1", "0"), ("cam1", "door 2", "1")]),
        ("rtsp://host/stream?a=b", [("cam0", "door", "rtsp://host/stream?a=b")]),
    ],
)
def test_sources_are_read_as_a_shell_reads_words(source: str, cameras: list[tuple[str, str, str]]) -> None:
    settings = load_settings({"RUID_SOURCE": source, "RUID_NODE_NAME": "door"})
    assert [(camera.camera_id, camera.name, camera.source) for camera in settings.cameras] == cameras


@pytest.mark.parametrize("source", ["'", "  "])
def test_sources_that_cannot_be_read(source: str) -> None:
    with pytest.raises(BadSettings, match="RUID_SOURCE"):
        _ = load_settings({"RUID_SOURCE": source}).cameras
