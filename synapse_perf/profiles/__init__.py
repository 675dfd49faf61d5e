"""What is to be measured, on which models, how often, and against which targets?"""

from synapse_perf.profiles.builtin import builtin_profiles, find_profile
from synapse_perf.profiles.reading import load_profile
from synapse_perf.profiles.service_settings import ServiceStartupSettings
from synapse_perf.profiles.settings import (
    BenchCgragSettings,
    KvType,
    LoadMode,
    Models,
    ModelSource,
    Profile,
    ProfileLoadSettings,
    Sampling,
)
from synapse_perf.profiles.targets import TARGET_UNITS, parse_target_value

__all__ = [
    "TARGET_UNITS",
    "BenchCgragSettings",
    "KvType",
    "LoadMode",
    "ModelSource",
    "Models",
    "Profile",
    "ProfileLoadSettings",
    "Sampling",
    "ServiceStartupSettings",
    "builtin_profiles",
    "find_profile",
    "load_profile",
    "parse_target_value",
]
