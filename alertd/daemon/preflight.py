"""What of the settings can be checked before the service runs, though it is only used then."""

from typing import TYPE_CHECKING

from alertd.novita.endpoint import checked_base_url
from alertd.store.opening import require_place
from alertd.web.listen import parse_listen

if TYPE_CHECKING:
    from alertd.rules_file.model import LoadedRules
    from alertd.settings.model import Settings


def check_settings(rules: "LoadedRules", settings: "Settings") -> None:
    """
    Check where the service would connect and listen: proxies and certificates, the store, the page, the API's URLs.

    Raises:
        SettingsError: One of them can never work.
    """
    _ = settings.outgoing
    require_place(settings.store_url())
    parse_listen(settings.http_listen, token=settings.plain("http_token") or "")
    for account in rules.accounts:
        checked_base_url(account.base_url or settings.novita_base_url, account=account.name)
