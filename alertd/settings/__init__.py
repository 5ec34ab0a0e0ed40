"""Settings from the environment, a `.env` file and secret files, read once into one frozen object."""

from alertd.settings.model import SYSTEM_RULES, Settings, describe_settings, load_settings
from alertd.settings.sources import PREFIX, secret_dirs

__all__ = ["PREFIX", "SYSTEM_RULES", "Settings", "describe_settings", "load_settings", "secret_dirs"]
