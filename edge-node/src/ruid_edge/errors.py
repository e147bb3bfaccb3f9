"""What can end a node, each with its exit code (after sysexits.h).

EdgeError
├── BadSettings     78: a setting cannot be used
├── SourceMissing   66: a source that cannot exist (a file that is not there, an empty clip)
├── SpoolUnusable   73: the folder for the spool cannot be written
├── NodeFailed      70: a thread of the node died
└── InferenceError  70: a model cannot be used; see `inference.errors` for its kinds
"""


class EdgeError(Exception):
    """Ends the node with `exit_code`; its text says what to do."""

    exit_code = 70


class BadSettings(EdgeError):
    """A setting is missing or makes no sense."""

    exit_code = 78


class SourceMissing(EdgeError):
    """The source cannot be read now or later: waiting would not help."""

    exit_code = 66


class SpoolUnusable(EdgeError):
    """The spool's folder cannot be used."""

    exit_code = 73


class NodeFailed(EdgeError):
    """Something inside broke; the reason is in the text, the supervisor starts the node anew."""
