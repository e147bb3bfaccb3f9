"""What the appliance's tests share: one build of both images."""

import pytest

from appliance.engine import DOCKERFILES, IMAGES, build, require_base_image, require_engine


@pytest.fixture(scope="session")
def images() -> None:
    """Both images, built from this tree."""
    require_engine()
    require_base_image()
    for service, image in IMAGES.items():
        build(image, DOCKERFILES[service])
