"""Attribution: which component, the disease or another cause brought an event about."""

from safety_monitor.attribution.catalogue import Profile, ProfileError, parse, profile
from safety_monitor.attribution.frame import weigh_frame
from safety_monitor.attribution.model import (
    DISEASE,
    OTHER,
    Case,
    Challenge,
    Exposure,
    Level,
    Piece,
    Weighing,
    disease_behind,
    weigh,
)

__all__ = [
    "DISEASE",
    "OTHER",
    "Case",
    "Challenge",
    "Exposure",
    "Level",
    "Piece",
    "Profile",
    "ProfileError",
    "Weighing",
    "disease_behind",
    "parse",
    "profile",
    "weigh",
    "weigh_frame",
]
