"""The two lists of bills that show the same money."""

from enum import StrEnum


class View(StrEnum):
    """
    Two lists of the same money: usage bills, and those of LLM, generation and search by API key.

    They must never be added together.
    """

    USAGE = "usage"
    API_KEY = "api_key"
