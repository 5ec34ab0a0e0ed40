"""
Secrets referenced by a rules file, through environment variables or files.

Whoever edits the rules chooses where messages and keys are sent. So a rules file needs its own secrets: it must not
refer to alertd's settings and their files, or to passwords of the store and proxies, except the one that a key uses by
default.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from alertd.core.dataclass import dataclass
from alertd.core.masking import SHORTEST, passwords_of
from alertd.errors import UserError, absence
from alertd.settings.sources import SECRETS, secret_dirs
from alertd.settings.text_file import UnusableFile, read_text_file

_PREFIX = "ALERTD_"


class SecretError(UserError):
    """
    A secret is not available, or must not be used here.

    Args:
        text: The fault and the remedy; names the variable or file, never its content.
        is_file: Whether the key ending `_file` is at fault rather than the one ending `_env`.
    """

    def __init__(self, text: str, *, is_file: bool) -> None:
        self.is_file = is_file
        super().__init__(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPlaces:
    """The sources of secrets for a rules file."""

    environment: Mapping[str, str]
    folder: Path
    """The base folder for relative paths."""
    setting: Callable[[str], str | None]
    """Return one of alertd's settings in plain text."""

    def read(self, *, variable: str | None, file: str | None, noun: str, own: str | None = None) -> str | None:
        """
        Return the content of a variable or file, without surrounding white space; None if neither is named.

        Args:
            noun: The secret's name in errors: "bearer token".
            own: alertd's setting that is intended for this use and may be named, such as `slack_bot_token`.

        Raises:
            SecretError: It is missing, empty, unreadable, or one of alertd's own.
        """
        if variable:
            source, value = variable, self._from_variable(variable, noun=noun, own=own)
        elif file:
            source, value = str(self.folder / file), self._from_file(self.folder / file, noun=noun, own=own)
        else:
            return None
        for name in self._held(value, own):
            raise SecretError(
                f"{source} holds alertd's own {_variable(name)}, which a "
                f"rules file must not send anywhere; use a {noun} of its own",
                is_file=not variable,
            )
        return value

    def _from_variable(self, variable: str, *, noun: str, own: str | None) -> str:
        if _is_ours(variable.upper()) and variable.upper() != (_variable(own) if own else ""):
            raise SecretError(
                f"{variable} is one of alertd's own settings, which a rules file must not name here; "
                f"put the {noun} into a variable of its own",
                is_file=False,
            )
        if value := self.environment.get(variable, "").strip():
            return value
        raise absence(SecretError(f"environment variable {variable} is not set; set it to the {noun}", is_file=False))

    def _from_file(self, path: Path, *, noun: str, own: str | None) -> str:
        try:
            if _is_own(path, own):
                raise SecretError(
                    f"{path} is a file of alertd's own settings, which a rules file must not name here; "
                    f"put the {noun} into a file of its own",
                    is_file=True,
                )
            held = read_text_file(path)
        except (OSError, ValueError, UnusableFile) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            unread = SecretError(f"cannot read {path}: {why}", is_file=True)
            raise (absence(unread) if isinstance(error, OSError) else unread) from None
        value = held.text.strip()
        if value:
            return value
        raise absence(SecretError(f"{path} is empty; put the {noun} into it", is_file=True))

    def _held(self, value: str, own: str | None) -> Iterator[str]:
        """Yield the names of alertd's own secrets that a text contains."""
        meant = self.setting(own) if own else None
        for name in (*sorted(SECRETS), "database_url"):
            secret = self.setting(name)
            parts = (secret, *passwords_of(secret or "")) if name == "database_url" else (secret,)
            if any(one and len(one) >= SHORTEST and one in value and one != meant for one in parts):
                yield name


def _is_ours(variable: str) -> bool:
    """Return whether alertd or one of its libraries reads a variable, for passwords of the store and of proxies."""
    return variable.startswith(_PREFIX) or variable == "PGPASSWORD" or variable.endswith("_PROXY")


def _variable(name: str) -> str:
    return f"{_PREFIX}{name.upper()}"


def _is_own(path: Path, own: str | None) -> bool:
    """Return whether a path leads, through any links, to a file with alertd's settings."""
    # Unlike `resolve`, this accepts circular links; reading them fails with a reason.
    if Path(os.path.realpath(path)).is_relative_to("/proc"):
        # It has the environment of every process of this user.
        return True
    if path.exists() and any(file.exists() and file.samefile(path) for file in _password_files()):
        return True
    meant = _variable(own).lower() if own else ""
    return any(
        file.name.lower() != meant and file.exists() and path.exists() and file.samefile(path) for file in _own_files()
    )


def _password_files() -> Iterator[Path]:
    """Yield the files where PostgreSQL's client looks for the store's password."""
    yield Path(os.environ.get("PGPASSFILE") or Path.home() / ".pgpass")


def _own_files() -> Iterator[Path]:
    from alertd.settings.forms import FORMS  # noqa: PLC0415 -- only when a file is named

    yield Path(".env")
    names = {_variable(name).lower() for name in FORMS}
    for folder in map(Path, secret_dirs()):
        yield from (file for file in folder.iterdir() if file.name.lower() in names)
