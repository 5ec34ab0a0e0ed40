"""What of the settings can be checked before the service runs, though it is only used then."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from alertd.errors import SettingsError
from alertd.novita.endpoint import checked_base_url
from alertd.store.opening import require_place

if TYPE_CHECKING:
    from alertd.rules_file.model import LoadedRules
    from alertd.settings.asked import SettingsInUse


def check_settings(rules: "LoadedRules | None", settings: "SettingsInUse") -> None:
    """
    Check where the service would connect and listen: proxies and certificates, the store, the page, the API's URLs.

    Args:
        rules: None where they cannot be read: what they say of accounts is not checked.

    Raises:
        SettingsError: Everything of it that can never work, one a line.
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
