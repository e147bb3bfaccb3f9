"""People for the tests of access: made directly, and signed in as a browser would be."""

from dataclasses import dataclass

from ruid_hub.access import Access, Permit, Reach, Role
from ruid_hub.access.values import EVERYWHERE

PASSWORD = "correct horse battery"  # noqa: S105 - a test's
OWNER = "Olga Owner"


@dataclass(frozen=True, slots=True)
class Browser:
    """What a browser sends once somebody has signed in."""

    cookies: dict[str, str]
    csrf: str


def owner_of(access: Access) -> Browser:
    """Set the hub up."""
    return _browser(access, access.set_up(OWNER, PASSWORD, address="::1", browser="test").secret)


def browser_of(access: Access, name: str, role: Role, reach: Reach = EVERYWHERE) -> Browser:
    """A new user in a browser."""
    access.accounts.add_user(name, role=role, reach=reach, password=PASSWORD)
    return _browser(access, access.sign_in(name, PASSWORD, address="::1", browser="test").secret)


def token_of(access: Access, *permits: Permit, owner: str = OWNER) -> dict[str, str]:
    """A new token's header."""
    user = next(user for user in access.accounts.users() if user.name == owner)
    _, secret = access.accounts.issue_token("a program", user_key=user.user_key, permits=permits)
    return {"Authorization": f"Bearer {secret}"}


def _browser(access: Access, secret: str) -> Browser:
    return Browser({"ruid_session": secret}, access.csrf_of(secret))
