"""The door: who is let in, and who a caller is."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from ruid_hub.access.accounts import Accounts, token_of, usable_name, user_of
from ruid_hub.access.demonstration import Demonstration
from ruid_hub.access.errors import AlreadySetUp, UnusableName, WrongCode, WrongPassword
from ruid_hub.access.openid import Vouched
from ruid_hub.access.passwords import Passwords
from ruid_hub.access.secrets import derived, digest, new_secret, new_setup_code, same, same_code
from ruid_hub.access.throttle import LoginThrottle
from ruid_hub.access.values import EVERYWHERE, Caller, Reach, Role, Way
from ruid_hub.store import Store
from ruid_hub.store import access as rows

IDLE_S = 7 * 86_400.0
LONGEST_S = 30 * 86_400.0
"""A session ends a week after it was last used, and after a month in any case."""
VOUCHED_S = 12 * 3600.0
"""Whoever came from an identity provider is asked there again after half a day: it may have changed its mind."""
SESSIONS_A_USER = 20
SEEN_EVERY_S = 300.0
CALLERS = 1000
BROWSER_TEXT = 200
SETTING_UP = "\0set-up"
"""Attempts at the set-up code are counted under this name, which no user can have."""


class AccessMode(StrEnum):
    """REQUIRED asks everybody to sign in; OPEN makes everybody an admin: for the demo on the same machine.

    DEMONSTRATION lets everybody look and correct for as long as the hub is one and has no owner.
    """

    REQUIRED = "required"
    OPEN = "open"
    DEMONSTRATION = "demonstration"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`secret` goes into the session cookie, `known_browser` into one that outlives it."""

    caller: Caller
    secret: str
    known_browser: str


@dataclass(slots=True)
class _Known:
    """A caller who was looked up at `seen_at_s`."""

    caller: Caller
    ends_at_s: float
    seen_at_s: float


class Access:
    """One per hub. Every method but `remembered` may read or write the disk: call it from a thread."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Callable[[], float],
        mode: AccessMode = AccessMode.REQUIRED,
        setup_code: str = "",
    ) -> None:
        self.mode = mode
        self._store = store
        self._clock = clock
        self._passwords = Passwords()
        self._throttle = LoginThrottle()
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._era = 0
        self._set_up = False
        self._setup_code = setup_code or new_setup_code()
        self._browser_key = self._kept_key("browser_key")
        self._process_key = new_secret()
        self._demonstration = Demonstration(store=store, wanted=mode is AccessMode.DEMONSTRATION)
        self.accounts = Accounts(store=store, passwords=self._passwords, clock=clock, changed=self._forget_callers)

    # --- setting up ------------------------------------------------------------------------------------

    @property
    def needs_set_up(self) -> bool:
        """True until the first user exists; never for an open hub."""
        if not self._set_up and self.mode is not AccessMode.OPEN:
            with self._store.reading() as connection:
                self._set_up = rows.has_users(connection)
        return not self._set_up and self.mode is not AccessMode.OPEN

    @property
    def setup_code(self) -> str:
        """What the owner needs while the hub is new, another one after each start; empty afterwards."""
        return self._setup_code if self.needs_set_up else ""

    def set_up(self, name: str, password: str, *, address: str, browser: str, code: str | None = None) -> SignedIn:
        """Make the owner, an admin, and sign them in; `code` is None where none is asked for: on the hub's own machine.

        Raises AlreadySetUp, WrongCode, TooManyAttempts, UnusableName or UnusablePassword.
        """
        if code is not None:
            self._throttle_attempt(SETTING_UP, address, None)
            if not same_code(code, self._setup_code):
                raise WrongCode
            with self._lock:
                self._throttle.succeeded(SETTING_UP, address=address, known_browser=None)
        name, password_hash = usable_name(name), self._passwords.hash(password)
        with self._store.writing() as connection:
            if self.mode is AccessMode.OPEN or rows.has_users(connection):
                raise AlreadySetUp
            rows.add_user(
                connection,
                name=name,
                role=Role.ADMIN.word,
                reach=None,
                password_hash=password_hash,
                at_s=self._clock(),
            )
        self.end_demonstration()
        return self.sign_in(name, password, address=address, browser=browser)

    # --- signing in and out ----------------------------------------------------------------------------

    def sign_in(
        self, name: str, password: str, *, address: str, browser: str, known_browser: str | None = None
    ) -> SignedIn:
        """Raises WrongPassword or TooManyAttempts."""
        try:
            name = usable_name(name)
        except UnusableName:
            raise WrongPassword from None
        user = self._checked(name, password, address=address, known_browser=known_browser)
        return self._begin_session(user, address=address, browser=browser)

    def sign_in_vouched(self, vouched: Vouched, *, address: str, browser: str) -> SignedIn:
        """Somebody whom the identity provider has signed in. Raises UnusableName, NameTaken or LastAdmin."""
        user = self.accounts.vouched_user(vouched.subject, vouched.name, vouched.role, reach=vouched.reach)
        with self._store.reading() as connection:
            row = rows.user_by_key(connection, user.user_key)
        if row is None:
            raise WrongPassword
        return self._begin_session(row, address=address, browser=browser)

    def _begin_session(self, user: rows.UserRow, *, address: str, browser: str) -> SignedIn:
        secret = new_secret()
        with self._store.writing() as connection:
            session_key = rows.add_session(
                connection,
                digest=digest(secret),
                user_key=user.user_key,
                at_s=self._clock(),
                address=address,
                browser=browser[:BROWSER_TEXT],
                keep=SESSIONS_A_USER,
            )
        return SignedIn(
            self._caller(user, Way.SESSION, session_key), secret, self._mark_of_browser(user.user_key, new_secret())
        )

    def confirm(self, caller: Caller, password: str, *, address: str) -> None:
        """Ask a signed-in user for the password again; raises WrongPassword or TooManyAttempts."""
        mark = self._mark_of_browser(caller.user_key, f"session {caller.key}")
        self._checked(caller.name, password, address=address, known_browser=mark)

    def sign_out(self, caller: Caller) -> None:
        """End the caller's session."""
        with self._store.writing() as connection:
            rows.end_session(connection, caller.key, caller.user_key)
        self._forget_callers()

    def _checked(self, name: str, password: str, *, address: str, known_browser: str | None) -> rows.UserRow:
        with self._store.reading() as connection:
            user = rows.user_by_name(connection, name)
        known = self._known_browser(user, known_browser)
        self._throttle_attempt(name, address, known)
        if not self._passwords.fits(password, user.password_hash if user else None) or user is None:
            raise WrongPassword
        with self._lock:
            self._throttle.succeeded(name, address=address, known_browser=known)
        return user

    def _throttle_attempt(self, name: str, address: str, known: str | None) -> None:
        with self._lock:
            self._throttle.attempt(name, address=address, known_browser=known, at_s=self._clock())

    def sites_changed(self) -> None:
        """Cameras belong to other sites than before, so that callers may see others: they are looked up anew."""
        self._forget_callers()

    @property
    def era(self) -> int:
        """Another number after rights were taken from anybody: open streams end then, and callers come in anew."""
        return self._era

    # --- who is it? ------------------------------------------------------------------------------------

    def remembered(self, secret: str) -> Caller | None:
        """A caller who was looked up lately and may still come in; cheap, for the event loop."""
        at_s = self._clock()
        with self._lock:
            known = self._known.get(digest(secret))
        if known is None or at_s >= known.ends_at_s or at_s - known.seen_at_s > SEEN_EVERY_S:
            return None
        return known.caller

    def caller_by_session(self, secret: str) -> Caller | None:
        """Whose session it is; None where it is not one, or has ended."""
        at_s, era = self._clock(), self._era
        with self._store.reading() as connection:
            found = rows.session_by_digest(connection, digest(secret))
        if found is None:
            return None
        session, user = found
        longest_s = LONGEST_S if user.subject is None else VOUCHED_S
        ends_at_s = min(session.created_at_s + longest_s, session.seen_at_s + IDLE_S)
        if at_s >= ends_at_s:
            return None
        if at_s - session.seen_at_s > SEEN_EVERY_S:
            with self._store.writing() as connection:
                rows.session_seen(connection, session.session_key, at_s)
        return self._remember(secret, self._caller(user, Way.SESSION, session.session_key), ends_at_s, era)

    def caller_by_token(self, secret: str) -> Caller | None:
        """Whose API token it is, with what it permits; None where it is not one, or has ended."""
        at_s, era = self._clock(), self._era
        with self._store.reading() as connection:
            found = rows.token_by_digest(connection, digest(secret))
        if found is None:
            return None
        token, user = token_of(found[0]), found[1]
        ends_at_s = float("inf") if token.expires_at_s is None else token.expires_at_s
        if at_s >= ends_at_s:
            return None
        if token.used_at_s is None or at_s - token.used_at_s > SEEN_EVERY_S:
            with self._store.writing() as connection:
                rows.token_used(connection, token.token_key, at_s)
        owner = self._caller(user, Way.TOKEN, token.token_key)
        caller = replace(owner, name=f"{owner.name} ({token.name})", permits=token.permits)
        return self._remember(secret, caller, ends_at_s, era)

    def caller_by_proxy(self, name: str) -> Caller | None:
        """Whom a trusted reverse proxy has signed in; None where this hub has no such user."""
        with self._store.reading() as connection:
            user = rows.user_by_name(connection, name)
        return None if user is None else self._caller(user, Way.PROXY, 0)

    def anybody(self) -> Caller | None:
        """Everybody is this caller where the hub is open; None elsewhere."""
        return Caller("demo", Role.ADMIN, EVERYWHERE, Way.OPEN) if self.mode is AccessMode.OPEN else None

    def visitor(self) -> Caller | None:
        """Everybody is this caller while the hub is a demonstration and has no owner; None elsewhere."""
        if not self._demonstration.on or not self.needs_set_up:
            return None
        return Caller("visitor", Role.OPERATOR, EVERYWHERE, Way.DEMONSTRATION)

    def end_demonstration(self) -> None:
        """The hub has an owner, or a node that somebody let in: from now on, for good, everybody signs in."""
        if self._demonstration.on:
            self._demonstration.end()
            self._forget_callers()

    # --- what forms carry ------------------------------------------------------------------------------

    def csrf_of(self, secret: str) -> str:
        """The token that forms of one browser carry; `secret` is its session's, or its visit's before that."""
        return derived(self._process_key if secret == "" else secret, "csrf")

    def sweep(self) -> None:
        """Forget sessions that have ended."""
        at_s = self._clock()
        with self._store.writing() as connection:
            rows.end_old_sessions(connection, created_before_s=at_s - LONGEST_S, seen_before_s=at_s - IDLE_S)

    # --- parts -----------------------------------------------------------------------------------------

    def _remember(self, secret: str, caller: Caller, ends_at_s: float, era: int) -> Caller:
        """Unless rights were taken away while the caller was looked up."""
        with self._lock:
            if era != self._era:
                return caller
            self._known[digest(secret)] = _Known(caller, ends_at_s, self._clock())
            if len(self._known) > CALLERS:
                self._known.popitem(last=False)
        return caller

    def _caller(self, user: rows.UserRow, way: Way, key: int) -> Caller:
        shown = user_of(user)
        return Caller(shown.name, shown.role, self._spelt_out(shown.reach), way, shown.user_key, key)

    def _spelt_out(self, reach: Reach) -> Reach:
        """With the cameras that belong to its sites now."""
        if not reach.sites:
            return reach
        with self._store.reading() as connection:
            return reach.also(rows.cameras_of_sites(connection, reach.sites))

    def _forget_callers(self) -> None:
        with self._lock:
            self._era += 1
            self._known.clear()

    def _mark_of_browser(self, user_key: int, nonce: str) -> str:
        return f"{nonce}.{derived(self._browser_key, f'browser {user_key} {nonce}')}"

    def _known_browser(self, user: rows.UserRow | None, mark: str | None) -> str | None:
        if user is None or mark is None:
            return None
        nonce = mark.partition(".")[0]
        return nonce if same(mark, self._mark_of_browser(user.user_key, nonce)) else None

    def _kept_key(self, name: str) -> str:
        with self._store.writing() as connection:
            key = rows.read_setting(connection, name)
            if key is None:
                key = new_secret()
                rows.write_setting(connection, name, key)
        return key
