"""Two releases' images together, in either order of the update, with real nodes and a real database.

RUID_FORMER_RELEASE names a commit; its images are built from its own tree, so it takes the history and some minutes:
it is only run where that variable asks for it. Port 8080 must be free.
"""

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
import yaml

from appliance.engine import DOCKERFILES, IMAGES, Composed, build, compose_program
from appliance.kept import account, grows_beyond, is_healthy, nothing_is_lost
from tooling import REPOSITORY

FORMER = os.environ.get("RUID_FORMER_RELEASE", "")
FORMER_IMAGES = {service: f"ruid-{service}:former" for service in IMAGES}
CLIPS = {"RUID_NODE_NAME": "door", "RUID_SOURCE": "/opt/ruid/demo/west.mp4", "RUID_LOOP": "true"}
PLAIN = {"user": "ruid", "privileged": False, "cap_drop": ["ALL"], "environment": CLIPS}
"""A node without cameras, as docs/install.md has it."""

OTHER_MODEL = frozenset({"refused_embedding_model"})
"""What a hub of before identities could begin anew says to a node that was updated first, to another embedder."""

pytestmark = pytest.mark.skipif(not FORMER, reason="set RUID_FORMER_RELEASE to a commit: its images take long to build")


@pytest.fixture(scope="module")
def former_images(images: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Both images of the former release."""
    tree = tmp_path_factory.mktemp("former")
    archive = subprocess.run(["git", "archive", FORMER], cwd=REPOSITORY, check=True, capture_output=True)
    subprocess.run(["tar", "-x", "-C", tree], input=archive.stdout, check=True)
    for service, image in FORMER_IMAGES.items():
        build(image, str(tree / DOCKERFILES[service]), context=tree)


@pytest.fixture
def site(former_images: None, tmp_path: Path) -> Generator[Composed]:
    """A hub and a node of the former release, which have kept something."""
    site = Composed(compose_program(), (REPOSITORY / "docker-compose.yml", tmp_path / "images.yml"))
    try:
        start(site, FORMER_IMAGES)
        grows_beyond(site, 2)
        yield site
    finally:
        site.compose("down", "--volumes", "--timeout", "5")


def start(site: Composed, images: dict[str, str], *services: str) -> None:
    """Have these services run from these images; those that are not named stay as they are."""
    health = {"interval": "2s", "timeout": "60s"}
    alike = {service: {"image": image, "healthcheck": health} for service, image in images.items()}
    text = yaml.safe_dump({"version": "2.4", "services": {**alike, "edge": {**alike["edge"], **PLAIN}}})
    site.files[-1].write_text(text, encoding="utf-8")
    site.compose("up", "--detach", "--no-build", "--no-deps", *(services or IMAGES))
    is_healthy(site, "hub")


@pytest.mark.parametrize("order", [("hub", "edge"), ("edge", "hub")])
def test_one_service_after_the_other_is_updated_and_nothing_is_lost(site: Composed, order: tuple[str, str]) -> None:
    before, images = account(site), dict(FORMER_IMAGES)
    for service in order:
        reached, replaced = account(site)["observations"], site.container(service)
        images[service] = IMAGES[service]
        start(site, images, service)
        assert site.container(service) != replaced
        grows_beyond(site, reached)
        nothing_is_lost(site, before=before, but=OTHER_MODEL if order[0] == "edge" else frozenset())
    after = account(site)
    sys.stdout.write(f"{before}\n{after}\n")
    assert after["boots"] == 2
    assert after["revision"] >= before["revision"]
