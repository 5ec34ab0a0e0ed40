"""Checks of settings before the service runs that would otherwise fail only when used."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from alertd.errors import SettingsError
from alertd.novita.endpoint import checked_base_url
from alertd.store.place import require_place

if TYPE_CHECKING:
    from alertd.rules_file.model import LoadedRules
    from alertd.settings.asked import SettingsInUse


def check_settings(rules: "LoadedRules | None", settings: "SettingsInUse") -> None:
    """
    Check what the service would connect to and listen on: proxies, certificates, the store, the page, the API's URLs.

    Args:
        rules: None if they cannot be read; accounts are not checked then.

    Raises:
        SettingsError: Everything that can never work, one problem per line.
    """
    checks: list[Callable[[], object]] = [
        lambda: settings.outgoing,
        lambda: require_place(settings.store_url()),
        settings.listen,
    ]
    for account in rules.accounts if rules is not None else ():
        url = account.base_url or settings.novita_base_url
        checks.append(partial(checked_base_url, url, account=account.name))
    faults = []
    for check in checks:
        try:
            check()
        except SettingsError as error:
            faults.append(str(error))
    if faults:
        raise SettingsError("\n".join(faults))
