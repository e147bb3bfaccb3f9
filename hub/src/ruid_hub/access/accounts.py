"""Users and their tokens, as an admin manages them."""

import unicodedata
from collections.abc import Callable, Iterable

from ruid_hub.access.errors import LastAdmin, NameTaken, UnknownAccount, UnusableName
from ruid_hub.access.passwords import Passwords
from ruid_hub.access.secrets import digest, new_token
from ruid_hub.access.values import EVERYWHERE, Permit, Reach, Role, Session, Token, User
from ruid_hub.store import Store
from ruid_hub.store import access as rows

NAME_LENGTH = 64
SAME_NAMES = 9
_PERMITS = frozenset(permit.value for permit in Permit)


class Accounts:
    """What is kept about users, sessions and tokens; `changed` is called after everything that takes rights away."""

    def __init__(
        self, *, store: Store, passwords: Passwords, clock: Callable[[], float], changed: Callable[[], None]
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._clock = clock
        self._changed = changed

    # --- users -----------------------------------------------------------------------------------------

    def users(self) -> list[User]:
        """By name."""
        with self._store.reading() as connection:
            return [user_of(row) for row in rows.all_users(connection)]

    def user(self, user_key: int) -> User:
        """Raises UnknownAccount."""
        with self._store.reading() as connection:
            row = rows.user_by_key(connection, user_key)
        if row is None:
            raise UnknownAccount
        return user_of(row)

    def add_user(self, name: str, *, role: Role, reach: Reach = EVERYWHERE, password: str | None) -> User:
        """Without a password, a user comes in through a trusted proxy only.

        Raises UnusableName, UnusablePassword or NameTaken.
        """
        name = usable_name(name)
        password_hash = None if password is None else self._passwords.hash(password)
        with self._store.writing() as connection:
            user_key = rows.add_user(
                connection,
                name=name,
                role=role.word,
                reach=_places(reach),
                password_hash=password_hash,
                at_s=self._clock(),
            )
        if user_key is None:
            raise NameTaken(name)
        return self.user(user_key)

    def vouched_user(self, subject: str, name: str, role: Role, *, reach: Reach | None = None) -> User:
        """The user whom an identity provider vouches for, made at the first time, with the role that it gives today.

        A `reach` of None leaves them what an admin has said, at first everything. A user of the hub who has the
        name already stays another one. Raises UnusableName, NameTaken or LastAdmin.
        """
        with self._store.reading() as connection:
            row = rows.user_by_subject(connection, subject)
        if row is None:
            return self._add_vouched(subject, usable_name(name[: NAME_LENGTH - 4]), role, reach or EVERYWHERE)
        known = user_of(row)
        if (known.role, known.reach) == (role, reach or known.reach):
            return known
        return self.change_user(row.user_key, role=role, reach=reach)

    def _add_vouched(self, subject: str, name: str, role: Role, reach: Reach) -> User:
        with self._store.writing() as connection:
            for again in range(1, SAME_NAMES + 1):
                user_key = rows.add_user(
                    connection,
                    name=name if again == 1 else f"{name} {again}",
                    role=role.word,
                    reach=_places(reach),
                    password_hash=None,
                    at_s=self._clock(),
                    subject=subject,
                )
                if user_key is not None:
                    break
            else:
                raise NameTaken(name)
        return self.user(user_key)

    def change_user(self, user_key: int, *, role: Role | None = None, reach: Reach | None = None) -> User:
        """Raises UnknownAccount, or LastAdmin where nobody would be left to look after the hub."""
        before = self.user(user_key)
        role, reach = role or before.role, reach or before.reach
        if role < Role.ADMIN or not reach.everywhere:
            self._keep_an_admin(besides=user_key)
        with self._store.writing() as connection:
            rows.change_user(connection, user_key, role=role.word, reach=_places(reach))
        self._changed()
        return self.user(user_key)

    def set_password(self, user_key: int, password: str) -> None:
        """Every session of the user ends; raises UnknownAccount or UnusablePassword."""
        self.user(user_key)
        password_hash = self._passwords.hash(password)
        with self._store.writing() as connection:
            rows.set_password(connection, user_key, password_hash)
        self._changed()

    def remove_user(self, user_key: int) -> User:
        """With sessions and tokens; raises UnknownAccount or LastAdmin."""
        user = self.user(user_key)
        self._keep_an_admin(besides=user_key)
        with self._store.writing() as connection:
            rows.remove_user(connection, user_key)
        self._changed()
        return user

    # --- sessions --------------------------------------------------------------------------------------

    def sessions_of(self, user_key: int) -> list[Session]:
        """The last seen first."""
        with self._store.reading() as connection:
            found = rows.sessions_of(connection, user_key)
        return [Session(r.session_key, r.user_key, r.created_at_s, r.seen_at_s, r.address, r.browser) for r in found]

    def end_session(self, session_key: int, *, user_key: int) -> None:
        """Sign a browser out; raises UnknownAccount where the user has no such session."""
        with self._store.writing() as connection:
            ended = rows.end_session(connection, session_key, user_key)
        self._changed()
        if not ended:
            raise UnknownAccount

    # --- tokens ----------------------------------------------------------------------------------------

    def tokens(self) -> list[Token]:
        """The newest first, without their secrets."""
        with self._store.reading() as connection:
            return [token_of(row) for row in rows.all_tokens(connection)]

    def issue_token(
        self, name: str, *, user_key: int, permits: Iterable[Permit], expires_at_s: float | None = None
    ) -> tuple[Token, str]:
        """A new token and its secret, which is shown this once; raises UnusableName or UnknownAccount."""
        name, secret = usable_name(name), new_token()
        self.user(user_key)
        with self._store.writing() as connection:
            token_key = rows.add_token(
                connection,
                digest=digest(secret),
                user_key=user_key,
                name=name,
                permits=[permit.value for permit in permits],
                at_s=self._clock(),
                expires_at_s=expires_at_s,
            )
        return self.token(token_key), secret

    def token(self, token_key: int) -> Token:
        """Raises UnknownAccount."""
        with self._store.reading() as connection:
            row = rows.token_by_key(connection, token_key)
        if row is None:
            raise UnknownAccount
        return token_of(row)

    def revoke_token(self, token_key: int) -> None:
        """Works at once; raises UnknownAccount."""
        with self._store.writing() as connection:
            revoked = rows.revoke_token(connection, token_key)
        self._changed()
        if not revoked:
            raise UnknownAccount

    def _keep_an_admin(self, *, besides: int) -> None:
        others = (user for user in self.users() if user.user_key != besides)
        if not any(user.role is Role.ADMIN and user.reach.everywhere for user in others):
            raise LastAdmin


def usable_name(name: str) -> str:
    """The name as it is kept; raises UnusableName."""
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise UnusableName
    return name


def user_of(row: rows.UserRow) -> User:
    """A user as they are shown, without the hash."""
    return User(
        row.user_key,
        row.name,
        Role.of(row.role),
        Reach.of(row.reach),
        row.password_hash is not None,
        row.created_at_s,
        row.signed_in_at_s,
        row.subject is not None,
    )


def token_of(row: rows.TokenRow) -> Token:
    """A token as it is shown; permits that this hub does not know permit nothing."""
    known = frozenset(Permit(permit) for permit in row.permits if permit in _PERMITS)
    return Token(
        row.token_key, row.user_key, row.owner, row.name, known, row.created_at_s, row.expires_at_s, row.used_at_s
    )


def _places(reach: Reach) -> tuple[str, ...] | None:
    return None if reach.places is None else tuple(sorted(reach.places))
