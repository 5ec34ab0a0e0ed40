"""
The balance: JSON -> Balance.

Decides where its fields are searched for and which of them are required.
"""

from datetime import datetime

from alertd.core.spend.bill import Balance
from alertd.novita.monthly import Fields
from alertd.novita.shape import UnexpectedShape, check_envelope, decode_object


def decode_balance(body: bytes, *, account: str, read_at: datetime) -> Balance:
    """
    Decode the answer, whose fields are at the top level or under `data`.

    Raises:
        UnexpectedShape: The body is cut off, reports an error, or has no valid available balance.
    """
    envelope = decode_object(body)
    data = envelope.pop("data", None)
    has_data = data is not None and bytes(data)[:1] == b"{"
    # Only signs of an error matter: other fields beside the balance hide no part of it.
    check_envelope(envelope, rows_key="data", has_list=True, has_rows=False)
    fields = Fields(decode_object(bytes(data)) if data is not None and has_data else envelope, "balance")
    available = fields.usd("availableBalance")
    if available is None:
        raise UnexpectedShape("no availableBalance, neither at the top level nor under data")
    return Balance(
        account=account,
        available=available,
        cash=fields.usd("cashBalance"),
        credit_limit=fields.usd("creditLimit"),
        outstanding=fields.usd("outstandingInvoices"),
        read_at=read_at,
    )
