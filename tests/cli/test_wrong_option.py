"""An option that does not exist is answered with what to write in its place."""

import pytest

from alertd.cli.root import run


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        pytest.param("run --rules x", "Set ALERTD_RULES in the environment", id="a setting by its name"),
        pytest.param("run --config x", "Set ALERTD_RULES in the environment", id="what others call it"),
        pytest.param("run --database-url x", "Set ALERTD_DATABASE_URL in", id="a name of several words"),
        pytest.param("run --interval 5m", "Set ALERTD_POLL_INTERVAL in", id="a part of a setting's name"),
        pytest.param("run --log=x", "Set ALERTD_LOG_FORMAT or ALERTD_LOG_LEVEL in", id="a part of the names of two"),
        pytest.param("run --verbose", "It stands before the command: `alertd --verbose run`", id="an option of alertd"),
        pytest.param("run -v", "It stands before the command: `alertd -v run`", id="a short one"),
        pytest.param("run --onse", "Did you mean '--once'?", id="a typing error"),
        pytest.param("run --rainbow", "Try 'alertd run --help'", id="nothing like it"),
        pytest.param("check --rules x", "Write the file without an option: `alertd check FILE`", id="an argument"),
        pytest.param("--rules x run", "Set ALERTD_RULES in the environment", id="before the command"),
    ],
)
def test_unknown_option_then_the_remedy_is_named(line: str, remedy: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`No such option` alone leaves a newcomer to search; exit code 2 says wrong usage."""
    code = run(line.split())

    said = capsys.readouterr().err
    assert code == 2
    assert "No such option" in said
    assert remedy in said


@pytest.mark.parametrize("line", ["run --slack x", "demo --rules x", "simulate --database-url x"])
def test_unknown_option_when_no_setting_is_meant_then_none_is_named(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A list of half the settings helps nobody, nor does one that the command never reads."""
    assert run(line.split()) == 2

    assert "ALERTD_" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        pytest.param("statsu", 'Did you mean "status"?', id="a typing error"),
        pytest.param("rainbow", "`alertd --help` lists all", id="nothing like it"),
        pytest.param("silence lst", 'Did you mean "list"?', id="a typing error within a command"),
        pytest.param("silence gpu-*", "`alertd silence --help` lists all", id="what belongs behind add"),
        pytest.param("db shrink", "`alertd db --help` lists all", id="nothing like it within a command"),
    ],
)
def test_unknown_command_then_the_remedy_is_named(line: str, remedy: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands within a command answer as those of alertd do."""
    code = run(line.split())

    said = capsys.readouterr().err
    assert code == 2
    assert "There is no command" in said
    assert remedy in said
