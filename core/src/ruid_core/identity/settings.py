"""What may be set, with the defaults that every site starts from."""

from dataclasses import dataclass, field

from ruid_core.identity.calibration import CalibrationPriors
from ruid_core.identity.projection import ProjectionPriors
from ruid_core.identity.transit import TransitPriors


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """Nothing here is a similarity threshold: those are learned from the stream.

    `most_tracks`, `most_folded` and `most_identities` bound the memory; a consolidation works on a matrix of at
    most twice `most_tracks` squared. `clock_tolerance_s` is how far evidence of one camera may arrive out of
    order; a track that has not ended counts as in view for `in_view_s` after its last evidence. The engine
    thinks everything over by itself whenever the number of tracks has grown by `refresh_growth`, up to
    `refresh_until` tracks; from then on `consolidate` does it.

    Two margins, in natural-logarithm odds: `live_caution` is what a single look must have over even odds to
    join somebody while the person is in view, `keep_margin` what another answer must have over the present one.
    """

    most_tracks: int = 3072
    most_folded: int = 65536
    most_identities: int = 65536
    clock_tolerance_s: float = 60.0
    in_view_s: float = 1.0
    refresh_growth: float = 2.0
    refresh_until: int = 256
    live_caution: float = 1.25
    keep_margin: float = 1.0
    transit: TransitPriors = field(default_factory=TransitPriors)
    projection: ProjectionPriors = field(default_factory=ProjectionPriors)
    calibration: CalibrationPriors = field(default_factory=CalibrationPriors)
