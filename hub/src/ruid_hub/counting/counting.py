"""Counting as pages, API and integrations call it."""

from collections.abc import Callable, Iterator

from ruid_hub.counting.values import (
    Bucket,
    Comparison,
    CountingSettings,
    CountOptions,
    Coverage,
    CrossingEntry,
    DwellReport,
    Heat,
    LineFlow,
    Occupancy,
    PeopleNow,
    Period,
    Place,
    Series,
    Site,
    VisitRow,
)
from ruid_hub.site import Site as LiveSite
from ruid_hub.store import Store

DEFAULTS = CountOptions()
EVERYWHERE = Place()


class Counting:
    """One for the hub; any thread may call. Every method may raise a `CountingError`."""

    def __init__(self, *, store: Store, site: LiveSite, clock: Callable[[], float]) -> None:
        self._store = store
        self._site = site
        self._clock = clock

    # --- numbers ---------------------------------------------------------------------------------------

    def people_now(self, place: Place = EVERYWHERE) -> PeopleNow:
        """Who is in view at this moment; call it from the event loop, it reads the live picture alone."""
        raise NotImplementedError

    def unique_visitors(
        self, period: Period, bucket: Bucket, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS
    ) -> Series:
        """How many different people were seen."""
        raise NotImplementedError

    def visits(
        self, period: Period, bucket: Bucket, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS
    ) -> Series:
        """How many visits began."""
        raise NotImplementedError

    def dwell(self, period: Period, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS) -> DwellReport:
        """How long the visits lasted that began in the period."""
        raise NotImplementedError

    def crossings(
        self, period: Period, bucket: Bucket, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS
    ) -> tuple[LineFlow, ...]:
        """Who went in and out over each line."""
        raise NotImplementedError

    def occupancy(self, place: Place = EVERYWHERE) -> Occupancy:
        """How many are inside now, by the lines."""
        raise NotImplementedError

    def compare(
        self,
        period: Period,
        earlier: Period,
        bucket: Bucket,
        place: Place = EVERYWHERE,
        options: CountOptions = DEFAULTS,
    ) -> Comparison:
        """Unique visitors of two periods."""
        raise NotImplementedError

    def heat(self, period: Period, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS) -> Heat:
        """Mean unique visitors by weekday and hour, on the site's clock."""
        raise NotImplementedError

    def coverage(self, period: Period, place: Place = EVERYWHERE) -> Coverage:
        """How much of the period the cameras saw, and what kept them from the rest."""
        raise NotImplementedError

    # --- rows ------------------------------------------------------------------------------------------

    def visit_rows(
        self, period: Period, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS
    ) -> Iterator[VisitRow]:
        """The visits behind `visits`, by their beginning: as many rows as its total says."""
        raise NotImplementedError

    def crossing_rows(
        self, period: Period, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS
    ) -> Iterator[CrossingEntry]:
        """The crossings behind `crossings`, by time."""
        raise NotImplementedError

    # --- what people set -------------------------------------------------------------------------------

    def adjust(self, place: Place, people: int, actor: str) -> Occupancy:
        """So many are inside at this moment, whatever was counted."""
        raise NotImplementedError

    def settings(self) -> CountingSettings:
        """How the hub counts unless asked otherwise."""
        raise NotImplementedError

    def set_settings(self, settings: CountingSettings) -> None:
        """Keep them; raises BadCounting and then nothing has changed."""
        raise NotImplementedError

    def sites(self) -> tuple[Site, ...]:
        """Every site, the first one first."""
        raise NotImplementedError

    def save_site(self, site_id: str, name: str, time_zone: str = "") -> None:
        """Make a site or change it."""
        raise NotImplementedError

    def remove_site(self, site_id: str) -> None:
        """Its cameras go back to the first site, which cannot be removed."""
        raise NotImplementedError

    def assign_camera(self, camera: str, site_id: str) -> None:
        """Give a camera to a site, with all that it ever saw."""
        raise NotImplementedError

    def day(self, at_s: float, place: Place = EVERYWHERE) -> Period:
        """The local day around a moment, on the place's clock."""
        raise NotImplementedError
