"""Settings: config/*.yaml and the environment become one typed, frozen object, or every problem at once."""

from bridgemgr.settings.catalogue import CATALOGUE, Change, Setting, changes
from bridgemgr.settings.example import example_yaml
from bridgemgr.settings.load import load_settings
from bridgemgr.settings.model import (
    CheckInSettings,
    DatabaseSettings,
    LogSettings,
    ProbeSettings,
    SessionSettings,
    Settings,
)
from bridgemgr.settings.places import default_data_dir
from bridgemgr.settings.sites import SiteSettings
from bridgemgr.settings.values import Address, Network

__all__ = [
    "CATALOGUE",
    "Address",
    "Change",
    "CheckInSettings",
    "DatabaseSettings",
    "LogSettings",
    "Network",
    "ProbeSettings",
    "SessionSettings",
    "Setting",
    "Settings",
    "SiteSettings",
    "changes",
    "default_data_dir",
    "example_yaml",
    "load_settings",
]
