"""What `alertd run --dry-run` says at its end."""

import pytest

from alertd.cli.run import dry_run_summary


@pytest.mark.parametrize(
    ("open_alerts", "is_ok", "line"),
    [
        (0, True, "Dry run: 0 alerts open, nothing sent, nothing stored."),
        (
            1,
            False,
            (
                "Dry run: 1 alert open as far as bills could be read (see the errors above; `alertd check --online` "
                "tests key and address), nothing sent, nothing stored."
            ),
        ),
    ],
)
def test_dry_run_when_bills_could_not_be_read_then_its_summary_says_so(
    open_alerts: int, is_ok: bool, line: str
) -> None:
    """With a wrong key it once said "0 alerts open", as if all were well."""
    assert dry_run_summary(open_alerts, is_ok=is_ok) == line
