"""Who may come in, what they may do, and what they did.

`values` holds roles, permits and reach; `Access` is the one door: it knows users, sessions and tokens and says who a
caller is; `throttle` slows guessing down; `Audit` writes down every look at a person and every change. No SQL and no
HTTP here: rows come from `ruid_hub.store.access`, routes ask through `ruid_hub.api.guards`.

How a route asks, for the pages and for the API alike (all in `ruid_hub.api.guards`; deny by default: the hub does not
start when a route says nothing)::

    @get("/people", guards=[requires(Role.VIEWER)])                              # signed-in people, not tokens
    @post("/people/{identity_id:str}/rename", guards=[requires(Role.OPERATOR)])  # and the CSRF token is asked for
    @get("/api/v1/people", guards=[requires(Role.VIEWER, Permit.PEOPLE_READ)])   # tokens with that permit too
    @get("/login", guards=[anybody])                                             # no session asked for
    @get("/setup", guards=[before_setup])                                        # 404 as soon as there is a user

    async def page(caller: Given[Caller], csrf: Given[str], access: Given[Access], audit: Given[Audit]) -> ...

- `caller` is who asks: `caller.name`, `caller.role` (`caller.role >= Role.OPERATOR`), `caller.reach`. On a route for
  anybody use `visitor: Given[Caller | None]`, None while nobody is signed in.
- `csrf` goes into every form as `<input type="hidden" name="_csrf" value="{{ csrf }}">`, or once on the page as
  `hx-headers:inherited='{"X-CSRF-Token": "{{ csrf }}"}'` (htmx 4 hands attributes down only when told so).
- Reach: `if not caller.reach.covers(camera): raise NotFoundException()`; `within(caller, camera)` does just that, and
  `site.view(at_s, sees=caller.reach.covers)` is the live picture of those cameras alone (one LivePicture a reach, not
  one for everybody). `caller.reach.everywhere` is True for most. A person is within reach where any of the cameras
  of their sightings is.
- `audit.record(caller, "person.look", identity_id)` at every look at a person, and at every change with its own verb
  (`person.rename`, `camera.rules`, …). Never put a person's name into `detail`: the audit outlives an erasure.
- Not signed in: pages answer 303 to `/login?next=…` (`/setup` while there is no user), htmx requests get
  `HX-Redirect`, everything else 401.

Forms of `/login`, `/setup` and `/logout` (the POST routes are in `ruid_hub.api.sign_in`, the pages in `pages`)::

    POST /login   name, password, next, _csrf   → 303 to next, or to /login?trouble=wrong|slow&next=…
    POST /setup   name, password, code, _csrf   → 303 to /, or to /setup?trouble=name|password|code|slow|taken
    GET  /login/oidc  next                      → 303 to the identity provider, which sends back to
    GET  /login/oidc/callback  code, state      → 303 to next, or to /login?trouble=provider|role
    POST /logout  _csrf                         → 303 to /login
    POST /account/password  current, password, _csrf → 303 to /settings?done=password, or ?trouble=wrong|password|slow
"""

from ruid_hub.access.audit import Audit, AuditEntry
from ruid_hub.access.door import Access, AccessMode, SignedIn
from ruid_hub.access.errors import (
    AccessError,
    AlreadySetUp,
    LastAdmin,
    NameTaken,
    TooManyAttempts,
    UnknownAccount,
    UnusableName,
    UnusablePassword,
    WrongCode,
    WrongPassword,
)
from ruid_hub.access.openid import NoRole, OpenId, OpenIdError, OpenIdSettings, Vouched, reach_of, roles_of
from ruid_hub.access.values import Caller, Permit, Reach, Role, Session, Token, User, Way

__all__ = [
    "Access",
    "AccessError",
    "AccessMode",
    "AlreadySetUp",
    "Audit",
    "AuditEntry",
    "Caller",
    "LastAdmin",
    "NameTaken",
    "NoRole",
    "OpenId",
    "OpenIdError",
    "OpenIdSettings",
    "Permit",
    "Reach",
    "Role",
    "Session",
    "SignedIn",
    "Token",
    "TooManyAttempts",
    "UnknownAccount",
    "UnusableName",
    "UnusablePassword",
    "User",
    "Vouched",
    "Way",
    "WrongCode",
    "WrongPassword",
    "reach_of",
    "roles_of",
]
