"""The release built by balena's own program against a real Docker engine: no login, no fleet, no device."""

import json
from collections.abc import Generator
from typing import Any

import pytest

from appliance.engine import IMAGES, run
from tooling import REPOSITORY, require_file, require_tool

PROJECT = "ruid-balena-test"


@pytest.fixture
def built(images: None) -> Generator[dict[str, str]]:
    """The images of both services, by balena's own way of reading the compose file; what is cached is used."""
    program = REPOSITORY / "tools/balena/node_modules/balena-cli/bin/run.js"
    require_file(program, hint="run `npm ci` in tools/balena")
    device = ("--deviceType", "genericx86-64-ext", "--arch", "amd64")
    command = (str(require_tool("node")), str(program), "build", str(REPOSITORY), *device, "--projectName", PROJECT)
    names = {service: f"{PROJECT}_{service}" for service in IMAGES}
    try:
        said = run(*command, "--noparent-check", timeout_s=1500)
        assert "Build succeeded" in said
        yield names
    finally:
        run("docker", "rmi", "--force", *names.values(), check=False)


def config(image: str) -> Any:
    return json.loads(run("docker", "inspect", "--format", "{{json .Config}}", image))


def test_balena_s_own_program_builds_both_images_of_the_release(built: dict[str, str]) -> None:
    for service, name in built.items():
        theirs, ours = config(name), config(IMAGES[service])
        for part in ("User", "Entrypoint", "Cmd", "Env", "Healthcheck", "Volumes"):
            assert theirs.get(part) == ours.get(part), (service, part)
