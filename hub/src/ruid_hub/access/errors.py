"""What goes wrong at the door.

HubError
└── AccessError
    ├── AlreadySetUp       the first user exists
    ├── WrongCode          not the set-up code of this hub
    ├── WrongPassword      or no such user: which of the two is not told
    ├── TooManyAttempts    with `retry_after_s`
    ├── NameTaken, UnusableName, UnusablePassword
    ├── LastAdmin          a hub without an admin could never be mended in the browser
    └── UnknownAccount     no such user, session or token
"""

from ruid_hub.errors import HubError


class AccessError(HubError):
    """Something about users, sessions or tokens cannot be done."""


class AlreadySetUp(AccessError):
    """The first user exists: further ones are made by an admin."""

    def __str__(self) -> str:
        return "this hub is set up already"


class WrongCode(AccessError):
    """Not the set-up code that stands in the hub's log."""

    def __str__(self) -> str:
        return "this is not the set-up code of this hub"


class WrongPassword(AccessError):
    """Name and password do not belong together."""

    def __str__(self) -> str:
        return "name and password do not belong together"


class TooManyAttempts(AccessError):
    """Too many wrong passwords; `retry_after_s` says when to come back."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"too many attempts: try again in {self.retry_after_s:.0f} s"


class NameTaken(AccessError):
    """Another user has that name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def __str__(self) -> str:
        return f"there is a user called '{self.name}' already"


class UnusableName(AccessError):
    """Not a name for a user or token."""

    def __str__(self) -> str:
        return "a name has 1 to 64 visible characters"


class UnusablePassword(AccessError):
    """Too short or too long."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__()
        self.least, self.most = least, most

    def __str__(self) -> str:
        return f"a password has {self.least} to {self.most} characters"


class LastAdmin(AccessError):
    """Nobody would be left to look after the hub."""

    def __str__(self) -> str:
        return "this is the last admin who sees every camera: make another one first"


class UnknownAccount(AccessError):
    """There is no such user, session or token."""

    def __str__(self) -> str:
        return "there is no such user, session or token"
