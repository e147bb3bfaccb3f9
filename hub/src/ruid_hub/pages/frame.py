"""What surrounds every page: the site's name, the way to the other pages, who is signed in, what was just done."""

from dataclasses import dataclass

from ruid_hub.access.values import Caller, Role, Way


@dataclass(frozen=True, slots=True)
class Place:
    """A page that the main navigation leads to, for those whose role suffices."""

    key: str
    name: str
    path: str
    least: Role = Role.VIEWER
    own_account: bool = False

    def open_to(self, caller: Caller) -> bool:
        """Whether somebody may see it; what is for admins is for those who see every camera."""
        if self.own_account and caller.way is Way.DEMONSTRATION:
            return False
        return caller.role >= self.least and (self.least < Role.ADMIN or caller.reach.everywhere)


PLACES = (
    Place("live", "Live", "/"),
    Place("people", "People", "/people"),
    Place("counts", "Counts", "/counts"),
    Place("cameras", "Cameras", "/cameras"),
    Place("audit", "Audit", "/audit", Role.ADMIN),
    Place("settings", "Settings", "/settings", own_account=True),
)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at the page; what they may do decides what they are offered."""

    name: str
    role: str
    may_operate: bool
    may_erase: bool
    may_administer: bool
    may_sign_out: bool
    visits_demonstration: bool

    @classmethod
    def of(cls, caller: Caller) -> "Viewer":
        """The viewer that a caller is."""
        return cls(
            name=caller.name,
            role=caller.role.word,
            may_operate=caller.role >= Role.OPERATOR,
            may_erase=caller.role >= Role.OPERATOR and caller.reach.everywhere,
            may_administer=caller.role >= Role.ADMIN and caller.reach.everywhere,
            may_sign_out=caller.way is Way.SESSION,
            visits_demonstration=caller.way is Way.DEMONSTRATION,
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """What became of what somebody just did.

    `undo_id` is the operation that can be taken back, `person` whose page shows what became of it.
    """

    text: str
    refused: bool = False
    undo_id: int | None = None
    person: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """The part of a page's context that layout.html needs."""

    site_name: str
    """Shown in the header and the window's title."""
    assets: str
    """Changes with the static files; appended to their addresses so that browsers may keep them."""
    pictures_kept_s: float
    """How long thumbnails are kept; the footer says so."""
    here: str = ""
    """Key of the place that the page belongs to."""
    viewer: Viewer | None = None
    """None where nobody is signed in."""
    places: tuple[Place, ...] = ()
    """Where the viewer may go."""
    waiting: int = 0
    """So many nodes ask to be let in; only admins are told."""
    csrf: str = ""
    """Goes into every form that changes something."""
    notice: Notice | None = None
    """Said at the top of the page."""
