"""
Where settings come from: the environment, else `.env`, else folders of secret files; each value with its place.

Decides what counts as set, whose files are trusted and which names are unknown, but not which values are valid.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

from alertd.core.dataclass import dataclass
from alertd.core.nearest import nearest
from alertd.core.printable import excerpt
from alertd.settings.text_file import TextFile, UnusableFile, change_warning, read_text_file

PREFIX = "ALERTD_"
DOTENV = Path(".env")
SECRETS_DIR = f"{PREFIX}SECRETS_DIR"
SECRETS = frozenset(
    {
        "novita_api_key",
        "slack_bot_token",
        "slack_app_token",
        "slack_webhook_url",
        "smtp_password",
        "http_token",
        "heartbeat_url",
    }
)
"""The settings that are secrets."""
_USUAL_SECRETS = "/run/secrets"
_OTHERS_READ, _OTHERS_WRITE = 0o004, 0o002
# Variables that Kubernetes sets in every pod for a service named alertd.
_OF_KUBERNETES = re.compile(r"ALERTD_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value as written, without surrounding white space."""

    text: str = field(repr=False)
    place: str = ""
    """The file, and the line in `.env`; empty for the environment."""


@dataclass(slots=True)
class Sources:
    """The values from all sources; filled by `read_sources`."""

    values: dict[str, Given] = field(default_factory=dict)
    """By the setting's name, in lower case without the prefix."""
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def secret_dirs() -> list[str]:
    """Return the existing folders of secret files: the one that is set, else `/run/secrets`, and systemd's."""
    named = (os.environ.get(SECRETS_DIR, "").strip() or _USUAL_SECRETS, os.environ.get("CREDENTIALS_DIRECTORY", ""))
    return [name for name in named if name and Path(name).is_dir()]


def read_sources(environment: Mapping[str, str], known: frozenset[str]) -> Sources:
    """
    Read every source; an unusable file is a problem, a name that is not *known* a warning.

    Args:
        known: The settings' names, in lower case without the prefix.
    """
    found = Sources()
    named = environment.get(SECRETS_DIR, "").strip()
    if named and not Path(named).is_dir():
        found.warnings.append(f'{SECRETS_DIR}: "{named}" is not a folder, so no secret is read from it')
    for folder in map(Path, reversed(secret_dirs())):
        _read_secrets(folder, known, found)
    for name, given in _read_dotenv(found):
        _take(name, given, known, found)
    for variable in sorted(environment):
        _take(variable, Given(text=environment[variable].strip()), known, found)
    return found


def _take(variable: str, given: Given, known: frozenset[str], found: Sources) -> None:
    """Store a variable if it is a setting of alertd, and warn if it only has the prefix; an empty one is not set."""
    if not variable.upper().startswith(PREFIX):
        return
    name = variable[len(PREFIX) :].lower()
    if name not in known:
        if variable.upper() != SECRETS_DIR and not _OF_KUBERNETES.fullmatch(variable):
            found.warnings.append(f"{variable}{_at(given.place)} is not a setting of alertd{_remedy(variable, known)}")
    elif given.text:
        found.values[name] = given


def _at(place: str) -> str:
    return f" ({place})" if place else ""


def _remedy(variable: str, known: frozenset[str]) -> str:
    # The prefix, which all have, would make anything similar.
    near = nearest(variable[len(PREFIX) :], sorted(known))
    if near is None:
        return "; `alertd help settings` lists all"
    meant = f"{PREFIX}{near}"
    return f"; did you mean {meant.upper() if variable.isupper() else meant.lower()}?"


def _read_dotenv(found: Sources) -> Iterator[tuple[str, Given]]:
    # A folder of this name is a virtual environment.
    if DOTENV.is_dir():
        return
    try:
        file = read_text_file(DOTENV)
    except FileNotFoundError:
        return
    except UnusableFile as error:
        found.problems.append(f"{DOTENV}: cannot be read: {error}")
        return
    if not _is_trusted(file):
        found.problems.append(
            f"{DOTENV}: belongs to user {file.owner}, who could set anything; give it to root or to the user that "
            f"runs alertd (chown {os.geteuid()} {DOTENV})"
        )
        return
    if words := _open_to_others(file.mode):
        found.warnings.append(f"{DOTENV}: every user of this host may {words} it; chmod 600 {DOTENV}")
    import io  # noqa: PLC0415 -- only if there is such a file

    from dotenv.parser import parse_stream  # noqa: PLC0415

    values = dict(os.environ)
    for binding in parse_stream(io.StringIO(file.text)):
        # The parser counts preceding blank lines as part of the binding.
        text = binding.original.string
        line = binding.original.line + len(text) - len(text.lstrip("\n"))
        is_unset = binding.key is not None and binding.value is None
        if binding.error or (is_unset and str(binding.key).upper().startswith(PREFIX)):
            # The line is not shown, because it may contain a secret.
            found.problems.append(f"{DOTENV}:{line}: is not NAME=value; correct it, or begin it with # as a comment")
        elif binding.key is not None:
            value, unknown = _filled_in(binding.value or "", values)
            if binding.key not in os.environ:
                values[binding.key] = value
            if unknown and binding.key.upper().startswith(PREFIX):
                # Neither the names nor the value are shown, because both may be parts of a password.
                found.warnings.append(
                    f"{DOTENV}:{line}: ${{…}} names no variable that is set, so it is taken as it is written"
                )
            yield binding.key, Given(text=value.strip(), place=f"{DOTENV}:{line}")


def _filled_in(value: str, variables: Mapping[str, str]) -> tuple[str, bool]:
    """Return a value with each `${NAME}` replaced by that variable, and whether one of these is not set."""
    from dotenv.variables import Variable, parse_variables  # noqa: PLC0415

    text, is_unknown = "", False
    for part in parse_variables(value):
        if isinstance(part, Variable) and part.name not in variables and part.default is None:
            # A password may contain this, and there is no other way to write it.
            text, is_unknown = f"{text}${{{part.name}}}", True
        else:
            text += part.resolve(variables)
    return text, is_unknown


def _read_secrets(folder: Path, known: frozenset[str], found: Sources) -> None:
    try:
        files = sorted(file for file in folder.iterdir() if file.name.upper().startswith(PREFIX))
    except OSError as error:
        found.problems.append(f"{folder}: cannot be read: {error.strerror}")
        return
    for file in files:
        if file.name[len(PREFIX) :].lower() not in known:
            _take(file.name, Given(text="", place=str(folder)), known, found)
            continue
        try:
            held = read_text_file(file)
        except (UnusableFile, FileNotFoundError) as error:
            why = "it is a link to nowhere" if isinstance(error, FileNotFoundError) else error
            found.problems.append(f"{file}: cannot be read: {why}")
            continue
        if warning := change_warning(file, held.mode):
            found.warnings.append(warning)
        _take(file.name, Given(text=held.text.strip(), place=str(file)), known, found)


def _is_trusted(file: TextFile) -> bool:
    return file.owner in {0, os.geteuid()}


def _open_to_others(mode: int) -> str:
    """Return what every user may do with a file; empty if nothing."""
    words = [word for bit, word in ((_OTHERS_READ, "read"), (_OTHERS_WRITE, "change")) if mode & bit]
    return " and ".join(words)


_SECRET_SIGNS = re.compile(r"://[^/]*@|[?#]|xox[a-z]-|xapp-|\bsk[_-]|hooks\.slack\.com", re.IGNORECASE)
"""Signs that a value may contain a secret in the wrong place."""


def fault(name: str, text: str, sources: Sources) -> str:
    """Return an error line for a setting; *text* is a sentence, or the end of one that begins with the value."""
    given = sources.values.get(name)
    place = f" ({given.place})" if given is not None and given.place else ""
    text = text.removeprefix("Value error, ")
    if not text.startswith(("is ", "has ", "holds ", "names ")):
        return f"{PREFIX}{name.upper()}{place}: {text}"
    return f"{PREFIX}{name.upper()}{place}: {_shown(name, given.text if given is not None else '')} {text}"


def _shown(name: str, value: str) -> str:
    """Return a value in quotes, or "the value" if it is missing or may be secret."""
    if not value or name in SECRETS or _SECRET_SIGNS.search(value):
        return "the value"
    return f'"{excerpt(value)}"'
