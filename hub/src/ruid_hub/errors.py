"""What can end a hub, each with its exit code (after sysexits.h).

HubError
├── BadSettings     78: a setting cannot be used
├── PortInUse       69: another program listens there
└── StateUnusable   73: the database cannot be opened
"""


class HubError(Exception):
    """Ends the hub with `exit_code`; its text says what to do."""

    exit_code = 70


class BadSettings(HubError):
    """A setting is missing or makes no sense."""

    exit_code = 78


class PortInUse(HubError):
    """Another program listens on a port that the hub needs."""

    exit_code = 69


class StateUnusable(HubError):
    """The hub's database cannot be opened."""

    exit_code = 73
