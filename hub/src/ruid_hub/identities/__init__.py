"""Identity engines behind one interface, by name: RuID's own and River's.

River is imported here and nowhere else in the hub.
"""

from ruid_hub.identities.clusterer import RuidClusterer
from ruid_hub.identities.drift import DriftAlarm, DriftKind, DriftWatch
from ruid_hub.identities.engines import ENGINE_NAMES, UnknownEngine, build_engine
from ruid_hub.identities.labelled import LabelledEngine
from ruid_hub.identities.models import ModelWatch

__all__ = [
    "ENGINE_NAMES",
    "DriftAlarm",
    "DriftKind",
    "DriftWatch",
    "LabelledEngine",
    "ModelWatch",
    "RuidClusterer",
    "UnknownEngine",
    "build_engine",
]
