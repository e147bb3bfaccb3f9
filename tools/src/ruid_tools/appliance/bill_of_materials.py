"""Lists everything in an image as a CycloneDX 1.6 bill of materials (JSON, on standard output).

    python3 bill_of_materials.py NAME PACKAGE_FOLDER BALENA_YML

It runs while the image is built, in the image's own file system and with its own Python, so it needs nothing but the
standard library: Debian's packages from dpkg, wheels from the environments under /opt/ruid, models by their files.
The list holds no time and is sorted: the same contents give the same bytes.
"""

import hashlib
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final
from urllib.parse import quote

_ENVIRONMENTS: Final = "opt/ruid/venv/lib/python3*/site-packages"
_MODEL_SUFFIXES: Final = frozenset({".onnx", ".npz", ".bin", ".param"})
_DPKG_FIELDS: Final = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n"
_VERSION_LINE: Final = re.compile(r"^version: (\S+)$", re.MULTILINE)
_CHUNK_BYTES: Final = 1 << 20

Component = dict[str, object]


def debian_packages(listing: str) -> Iterator[Component]:
    """The components in a listing of `dpkg-query`, one package a line, fields as in `_DPKG_FIELDS`."""
    for line in listing.splitlines():
        name, version, architecture, source, source_version = line.split("\t")
        purl = f"pkg:deb/debian/{name}@{quote(version, safe='')}?arch={architecture}"
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
            "properties": [{"name": "debian:source", "value": f"{source} {source_version}"}],
        }


def wheels(installed: Iterable[Distribution]) -> Iterator[Component]:
    """The installed Python distributions, with the licence that each states."""
    for distribution in installed:
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        purl = f"pkg:pypi/{name}@{distribution.version}"
        component: Component = {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": distribution.version,
            "purl": purl,
        }
        expression = distribution.metadata.json.get("license_expression")
        yield component | ({"licenses": [{"expression": expression}]} if expression else {})


def model_files(package: Path) -> Iterator[Component]:
    """The model files of a package, each with its SHA-256."""
    for path in package.rglob("*"):
        if path.suffix in _MODEL_SUFFIXES:
            digest = _sha256(path)
            yield {
                "type": "machine-learning-model",
                "bom-ref": f"model:{path.name}@{digest[:16]}",
                "name": path.name,
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }


def bill(name: str, version: str, components: Iterable[Component]) -> dict[str, object]:
    """The whole document; its serial number follows from its contents."""
    listed = sorted(components, key=lambda component: str(component["bom-ref"]))
    contents = json.dumps([name, version, listed], sort_keys=True)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, contents)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "bom-ref": name,
                "name": name,
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": listed,
    }


def version_of(release: Path) -> str:
    """The version that a `balena.yml` states; raise `ValueError` where it states none."""
    found = _VERSION_LINE.search(release.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{release} states no version")
    return found.group(1)


def bill_of_image(name: str, package: Path, *, version: str, root: Path = Path("/")) -> Mapping[str, object]:
    """The bill of the image that this runs in."""
    listing = subprocess.run(  # noqa: S603 - words of ours alone
        ["dpkg-query", "--show", f"--showformat={_DPKG_FIELDS}"],  # noqa: S607 - the image's own
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    environments = [str(path) for path in root.glob(_ENVIRONMENTS)]
    components = [*debian_packages(listing), *wheels(distributions(path=environments)), *model_files(package)]
    return bill(name, version, components)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


if __name__ == "__main__":
    json.dump(
        bill_of_image(sys.argv[1], Path(sys.argv[2]), version=version_of(Path(sys.argv[3]))), sys.stdout, indent=1
    )
