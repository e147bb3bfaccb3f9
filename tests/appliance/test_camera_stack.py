"""The camera software comes from Raspberry Pi's archive or not at all: here from archives that are not what they say.

The real archive is not asked: what it sends today, and whether its packages install, is not tried.
"""

import os
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tooling import REPOSITORY

SCRIPT = REPOSITORY / "edge-node/camera-stack"
POOL = "pool/main/r/raspberrypi-archive-keyring"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def serving(folder: Path) -> Generator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def install(stack: str, archive: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CAMERA_STACK": stack, "RASPBERRYPI_ARCHIVE": archive}
    return subprocess.run([SCRIPT], env=environment, capture_output=True, encoding="utf-8", check=False, timeout=60)


def test_keys_that_are_not_the_expected_ones_are_not_trusted(tmp_path: Path) -> None:
    script = SCRIPT.read_text(encoding="utf-8")
    (package,) = (line.partition("=")[2] for line in script.splitlines() if line.startswith("package="))
    (tmp_path / POOL).mkdir(parents=True)
    (tmp_path / POOL / package).write_bytes(b"keys of somebody else")
    with serving(tmp_path) as archive:
        done = install("raspberrypi", archive)
    assert done.returncode == 65
    assert f"the package of keys from {archive} is not the one that was expected" in done.stderr


def test_an_archive_without_the_keys_is_told_with_what_to_do(tmp_path: Path) -> None:
    with serving(tmp_path) as archive:
        done = install("raspberrypi", archive)
    assert done.returncode == 69
    assert "404" in done.stderr
    assert "--build-arg CAMERA_STACK=none" in done.stderr
    assert "names the package of keys and its digest" in done.stderr


def test_nothing_is_fetched_where_the_software_is_not_wanted() -> None:
    assert install("none").returncode == 0
    wrong = install("maybe")
    assert wrong.returncode == 64
    assert "must be auto, raspberrypi or none" in wrong.stderr
