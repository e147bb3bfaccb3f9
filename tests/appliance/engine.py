"""A real container engine, as the appliance's tests use it."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tooling import REPOSITORY

BASE_IMAGE = "debian:trixie-slim"
IMAGES = {"hub": "ruid-hub:test", "edge": "ruid-edge:test"}
DOCKERFILES = {"hub": "hub/Dockerfile", "edge": "edge-node/Dockerfile"}
PROJECT = "ruid-appliance-test"


# Stops one thread of another process, the one that its event loop runs in, and waits for the process to end.
FREEZE = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
seize, interrupt, any_thread, process = 0x4206, 0x4207, 0x40000000, int(sys.argv[1])
for request in (seize, interrupt):
    if libc.ptrace(request, process, None, None) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
ended = False
while not ended:
    _, status = os.waitpid(process, any_thread)
    ended = not os.WIFSTOPPED(status)
"""


def not_here(reason: str) -> NoReturn:
    """Skip; fail where RUID_REQUIRE_DOCKER=1 says that an engine was started for these tests."""
    if os.environ.get("RUID_REQUIRE_DOCKER") == "1":
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)


def run(*command: str, check: bool = True, timeout_s: float = 300.0, text: str | None = None) -> str:
    """Run a program to its end; return what it printed, or fail the test with all that it said."""
    done = subprocess.run(
        command,
        check=False,
        cwd=REPOSITORY,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=timeout_s,
    )
    if check and done.returncode != 0:
        pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-6000:]}")
    return done.stdout


def require_engine() -> None:
    """Skip where no Docker engine answers."""
    if shutil.which("docker") is None:
        not_here("docker is not installed (Debian: docker.io)")
    asked = subprocess.run(["docker", "version", "--format", "{{.Server.Version}}"], check=False, capture_output=True)
    if asked.returncode != 0:
        not_here("no Docker engine answers: start dockerd")


def require_base_image() -> None:
    """Have the base image: the real one where a registry can be reached, else a stand-in made with debootstrap."""
    if run("docker", "images", "--quiet", BASE_IMAGE).strip():
        return
    pulled = subprocess.run(["docker", "pull", BASE_IMAGE], check=False, capture_output=True, timeout=300)
    if pulled.returncode == 0:
        return
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        not_here(f"{BASE_IMAGE} cannot be pulled, and a stand-in for it takes root and debootstrap")
    run(str(Path(__file__).parent / "base-image"), timeout_s=300)


def compose_program() -> tuple[str, ...]:
    """Compose as a plug-in of docker, or the program of its own that Debian 12 has."""
    if subprocess.run(["docker", "compose", "version"], check=False, capture_output=True).returncode == 0:
        return ("docker", "compose")
    if shutil.which("docker-compose"):
        return ("docker-compose",)
    not_here("docker compose is not installed (Debian: docker-compose)")


def build(image: str, dockerfile: str, *, context: Path = REPOSITORY) -> None:
    """Build an image; its packages come over this machine's own network."""
    command = ("docker", "build", "--network", "host", "--file", dockerfile, "--tag", image, str(context))
    run(*command, timeout_s=1500)


def until(
    holds: Callable[[], object], *, within_s: float, what: str, logs: Callable[[], str] = lambda: "no logs"
) -> None:
    """Wait until something holds; fail with `what` and the logs when it does not in time."""
    deadline_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline_s:
            pytest.fail(f"not within {within_s:g} s: {what}\n{logs()}")
        time.sleep(0.25)


@dataclass(frozen=True)
class Composed:
    """The services of a compose project, one container each."""

    program: tuple[str, ...]
    files: Sequence[Path]

    def compose(self, *arguments: str, timeout_s: float = 600) -> str:
        files = [word for file in self.files for word in ("--file", str(file))]
        return run(*self.program, "--project-name", PROJECT, *files, *arguments, timeout_s=timeout_s)

    def container(self, service: str) -> str:
        labels = (f"com.docker.compose.project={PROJECT}", f"com.docker.compose.service={service}")
        wanted = [word for label in labels for word in ("--filter", f"label={label}")]
        return run("docker", "ps", "--all", "--quiet", *wanted).strip()

    def inspect(self, service: str) -> dict[str, Any]:
        return json.loads(run("docker", "inspect", self.container(service)))[0]

    def running(self, service: str) -> bool:
        return self.inspect(service)["State"]["Running"]

    def healthy(self, service: str) -> bool:
        return self.inspect(service)["State"].get("Health", {}).get("Status") == "healthy"

    def inside(self, service: str, *command: str) -> str:
        """Run a program in the service's container."""
        return run("docker", "exec", self.container(service), *command)

    def python(self, service: str, code: str) -> Any:
        """Run a piece of Python in the service's container; return the JSON that it prints."""
        return json.loads(self.inside(service, "python", "-c", code))

    def python_if_up(self, service: str, code: str) -> Any:
        """The same for a service that may just be ending or starting; None where it cannot answer now."""
        said = run("docker", "exec", self.container(service), "python", "-c", code, check=False)
        try:
            return json.loads(said)
        except json.JSONDecodeError:
            return None

    def crash(self, service: str) -> None:
        """Kill the program from outside, as the kernel would: `docker kill` counts as a stop by hand."""
        process = str(self.inspect(service)["State"]["Pid"])
        run("docker", "run", "--rm", "--pid", "host", BASE_IMAGE, "sh", "-c", f"kill -KILL {process}")

    def freeze(self, service: str) -> None:
        """Stop the thread of the program's event loop, as a call that never returns would, until the program ends."""
        process = str(self.inspect(service)["State"]["Pid"])
        command = ("docker", "run", "--rm", "--pid", "host", "--entrypoint", "python3")
        # As the program's own user; where the kernel wants more than that (yama), with the one right that it wants.
        said = [
            run(*command, *rights, IMAGES["edge"], "-c", FREEZE, process, check=False, timeout_s=90)
            for rights in (("--user", "ruid"), ("--user", "root", "--cap-add", "SYS_PTRACE"))
            if self.inspect(service)["State"]["Pid"] == int(process)
        ]
        assert self.inspect(service)["State"]["Pid"] != int(process), said

    def stop(self, service: str) -> tuple[float, int]:
        """Stop the service as an update does; return how long it took and the exit code."""
        container, started_s = self.container(service), time.monotonic()
        run("docker", "stop", "--time", "30", container)
        return time.monotonic() - started_s, self.inspect(service)["State"]["ExitCode"]

    def logs(self, service: str) -> str:
        return run("docker", "logs", "--tail", "40", self.container(service))
