"""The trail is in plain words."""

import re
import tomllib

from ruid_hub import __version__
from ruid_hub.hand import OperationKind
from ruid_hub.pages.audit import WORDS, in_words
from tooling import REPOSITORY

WRITTEN = re.compile(r'(?:record, [\w.]+|record\([\w.]+|note\(|audit, caller|action=) ?,? ?"([a-z]+\.[a-z_]+)"')


def test_every_action_that_is_written_down_has_words():
    sources = [path.read_text() for path in (REPOSITORY / "hub" / "src").rglob("*.py")]
    written = {action for source in sources for action in WRITTEN.findall(source)}
    written |= {f"person.{kind.value}" for kind in OperationKind}
    assert len(written) > 35
    assert written - WORDS.keys() == set()


def test_an_action_without_words_is_spelt_out():
    assert in_words("person.new_deed") == "person: new deed"


def test_the_version_is_that_of_the_package():
    project = tomllib.loads((REPOSITORY / "hub/pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert __version__ == project["version"]
