"""What may be set, with the defaults that every site starts from."""

from dataclasses import dataclass, field

from ruid_core.identity.calibration import CalibrationPriors
from ruid_core.identity.projection import ProjectionPriors


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """Nothing here is a similarity threshold: those are learned from the stream.

    `most_tracks`, `most_nodes` and `most_identities` bound memory and the cost of a consolidation (its matrix
    is `most_nodes` squared). `clock_tolerance_s` is how far evidence of one camera may arrive out of order;
    a track that has not ended counts as in view for `in_view_s` after its last evidence. The engine thinks
    everything over by itself whenever the number of tracks has grown by `refresh_growth`, up to
    `refresh_until` tracks; from then on `consolidate` does it.
    """

    most_tracks: int = 4096
    most_nodes: int = 6144
    most_identities: int = 65536
    clock_tolerance_s: float = 60.0
    in_view_s: float = 1.0
    refresh_growth: float = 1.25
    refresh_until: int = 512
    projection: ProjectionPriors = field(default_factory=ProjectionPriors)
    calibration: CalibrationPriors = field(default_factory=CalibrationPriors)
