"""Single values: what people write, what comes of it, and that editors agree."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.money import Usd, parse_written
from alertd.rules_file import moments, values
from alertd.rules_file.source import Number

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("written", "duration"),
    [
        ("90m", HOUR * 1.5),
        ("24h", HOUR * 24),
        ("7d", HOUR * 168),
        ("4w", HOUR * 672),
        ("1d12h", HOUR * 36),
        ("0d", timedelta()),
        (Number("0"), timedelta()),
        ("30s", timedelta(seconds=30)),
    ],
)
def test_duration_when_written_in_some_way_then_is_read(written: object, duration: timedelta) -> None:
    """Units may be joined, from the largest to the smallest, as in Prometheus."""
    assert values.parse_duration(written) == duration


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=400)))
def test_duration_when_written_for_the_schema_then_reads_back(duration: timedelta) -> None:
    """Defaults in the schema must be such as the file accepts."""
    whole = timedelta(minutes=duration // timedelta(minutes=1))
    assert values.parse_duration(values.write_duration(whole)) == whole


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        (Number("50"), "50"),
        (Number("50.10"), "50.10"),
        (Number(".5"), "0.5"),
        (Number("1e3"), "1000"),
        (Number("0.0000000001"), "0.0000000001"),
        (Number("+5"), "5"),
        ("$1,200", "1200"),
        ("50 USD", "50"),
        ("usd 50", "50"),
        ("50", "50"),
    ],
)
def test_money_when_written_in_some_way_then_is_exact(written: object, amount: str) -> None:
    """Amounts are never binary floats on the way in."""
    assert values.parse_money(written) == Usd(int(Decimal(amount) * 10**10))


@given(st.text(alphabet="0123456789$,. USDusd", max_size=12))
def test_money_pattern_when_matched_then_is_what_the_core_reads(text: str) -> None:
    """Editors use the pattern, the loader the core's reader: they must not differ."""
    assert bool(re.search(values.MONEY, text)) == _is_money(text)


def _is_money(text: str) -> bool:
    try:
        parse_written(text)
    except ValueError as error:
        # The form is right, the amount is not one that alertd can hold.
        return "finer" in str(error) or "does not fit" in str(error)
    return True


@pytest.mark.parametrize(
    ("written", "share"),
    [
        ("80%", Fraction(4, 5)),
        ("92.5%", Fraction(37, 40)),
        ("150 %", Fraction(3, 2)),
        (Number("0.8"), Fraction(4, 5)),
        (Number("0"), Fraction(0)),
    ],
)
def test_share_when_written_in_some_way_then_is_exact(written: object, share: Fraction) -> None:
    """A percent sign or a number below one; 80 alone would be a guess."""
    assert values.parse_share(written) == share


@given(st.fractions(min_value=0, max_value=10, max_denominator=1000).filter(lambda f: not (f * 10**9).denominator > 1))
def test_share_when_written_for_the_schema_then_reads_back(share: Fraction) -> None:
    """Defaults in the schema must be such as the file accepts."""
    assert values.parse_share(values.write_share(share)) == share


@pytest.mark.parametrize(
    ("parse", "written", "instant"),
    [
        pytest.param(moments.parse_starting, "2026-12-01", (2026, 12, 1, 0), id="a day begins at its midnight"),
        pytest.param(moments.parse_ending, "2026-12-05", (2026, 12, 6, 0), id="the last day counts whole"),
        pytest.param(moments.parse_starting, "2026-12-01T08:00+02:00", (2026, 12, 1, 6), id="a zone is counted in"),
        pytest.param(moments.parse_ending, "2026-12-01 08:00:00Z", (2026, 12, 1, 8), id="a blank in place of the T"),
        pytest.param(moments.parse_instant, "2026-12-01t08:00z", (2026, 12, 1, 8), id="small letters"),
    ],
)
def test_moment_when_written_in_some_way_then_is_in_utc(
    parse: object, written: str, instant: tuple[int, int, int, int]
) -> None:
    """Everything after the file is in UTC."""
    assert callable(parse)
    assert parse(written) == datetime(*instant, tzinfo=UTC)


@pytest.mark.parametrize(
    ("parse", "written"),
    [
        (moments.parse_ending, "9999-12-31"),
        (moments.parse_instant, "0001-01-01T00:00+14:00"),
        (moments.parse_instant, "2026-12-01T25:00Z"),
        (moments.parse_instant, "2026-12-01T08:00"),
        (moments.parse_date, "2026-02-30"),
        (moments.parse_day_hours, "07:00-07:00"),
        (moments.parse_day_hours, "24:00-07:00"),
        (moments.parse_zone, "../../etc/passwd"),
        (moments.parse_zone, "\0"),
        (moments.parse_zone, "Europe"),
        (values.parse_url, "https://"),
        (values.parse_url, "https://[::1"),
        (values.parse_url, "https://x:99999999/"),
        (values.parse_url, "ftp://example.com"),
        (moments.parse_schedule, "61 * * * *"),
        (moments.parse_schedule, "* * * *"),
        (moments.parse_schedule, "*/0 * * * *"),
        (values.parse_whole, Number("1.5")),
        (values.parse_number, Number(".inf")),
        (values.parse_number, "2"),
        (values.parse_money, Number(".nan")),
        (values.parse_money, Number("9" * 30)),
        (values.parse_money, "9" * 100_000),
        (values.parse_duration, "999999999w"),
        (values.parse_share, Number("-0.5")),
        (values.parse_share, "80%%"),
    ],
)
def test_value_when_it_is_none_then_is_refused_with_words(parse: object, written: object) -> None:
    """Libraries below raise many kinds of errors; all of them must come out as one kind, with a remedy."""
    assert callable(parse)
    with pytest.raises(ValueError, match=r".") as caught:
        parse(written)
    assert type(caught.value) is ValueError
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("secret", ["sk_live_4242", "hooks/T0/B0/x y", "", 5, None, ["x"]])
def test_variable_name_when_it_may_be_the_secret_then_is_not_repeated(secret: object) -> None:
    """Errors end up in logs and in CI's output."""
    with pytest.raises(ValueError, match="name of an environment variable") as caught:
        values.parse_variable_name(secret)
    assert not secret or str(secret) not in str(caught.value)


def test_url_when_it_holds_a_password_then_is_not_repeated() -> None:
    """The same as for keys."""
    with pytest.raises(ValueError, match="user or password") as caught:
        values.parse_url("https://dana:hunter2@example.com/")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["0 9 * * mon", "0 9 * * 1-5", "0 9 * * 7", "0 9 * * Tuesday", "0 9 * * fri-mon", "0 9 * * mon-sun", "0 9 L * *",
     "0 9 1 jan,July *", "*/15 9-17 * * mon-fri", "0 9 29 2 *", "0 9 31 2 mon", "0 9 31 nov-feb *", "0 9 * * mon#1"],
)  # fmt: skip
def test_schedule_when_cron_takes_it_then_so_does_the_rules_file(text: str) -> None:
    """People copy them from a crontab."""
    assert moments.parse_schedule(text) == text


@pytest.mark.parametrize("text", ["0 9 31 2 *", "0 9 30 feb *", "0 9 31 apr,jun *"])
def test_schedule_when_its_day_never_comes_then_is_refused(text: str) -> None:
    """A report that is never sent should not pass for one that is."""
    with pytest.raises(ValueError, match="never comes"):
        moments.parse_schedule(text)


@pytest.mark.parametrize("text", ["localtime", "Factory", "posixrules", "leapseconds", "tzdata.zi", "Europe", ""])
def test_zone_when_the_name_stands_for_no_place_then_is_refused(text: str) -> None:
    """They are files beside the zones, and what they mean depends on the machine."""
    with pytest.raises(ValueError, match="is not a time zone"):
        moments.parse_zone(text)


@pytest.mark.parametrize(("text", "zone"), [("right/Europe/Berlin", "Europe/Berlin"), ("posix/UTC", "UTC")])
def test_zone_when_of_a_copy_of_the_zones_then_the_zone_is_proposed(text: str, zone: str) -> None:
    """One of the copies counts leap seconds."""
    with pytest.raises(ValueError, match=f"write {zone}$"):
        moments.parse_zone(text)


@pytest.mark.parametrize(
    ("text", "slack_id"),
    [
        ("U04ABCDEF", "U04ABCDEF"),
        ("W04ABCDEF", "W04ABCDEF"),
        ("<@U04ABCDEF>", "U04ABCDEF"),
        ("<@U04ABCDEF|dana>", "U04ABCDEF"),
        ("<!subteam^S0123456|@oncall>", "S0123456"),
        ("<#C0123456|finops>", "C0123456"),
        ("https://acme.slack.com/team/U04ABCDEF", "U04ABCDEF"),
        ("https://acme.slack.com/archives/C0123456/p1700000000000000", "C0123456"),
        ("https://app.slack.com/client/T0123456/C0123456", "C0123456"),
    ],
)
def test_slack_id_when_pasted_then_is_the_id_in_it(text: str, slack_id: str) -> None:
    """Slack's menus copy mentions and links, not ids."""
    assert values.parse_slack_id(text) == slack_id


@pytest.mark.parametrize(
    "text", ["@dana", "dana", "#finops", "u04abcdef", "B04ABCDEF", "U1", "<@dana>", "https://x.de/U04ABCDEF"]
)
def test_slack_id_when_it_is_none_then_is_refused(text: str) -> None:
    """A name notifies nobody: Slack shows it as plain text."""
    with pytest.raises(ValueError, match="is not a Slack id; write one like U04ABCDEF"):
        values.parse_slack_id(text)


@pytest.mark.parametrize(
    "text", ["gpu-*", "!gpu", "llama-3.*", "org/model", "a+b", "gpu[0-9]", "a(b)", "$x", "*H100*", "gpu.*", "a|b"]
)
def test_pattern_when_a_glob_can_mean_it_then_is_taken(text: str) -> None:
    """Names of products have points, plus signs and brackets."""
    assert values.parse_pattern(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "=~gpu",
        "!~gpu",
        "~gpu",
        "=gpu",
        "!=gpu",
        "^gpu",
        "!^gpu",
        "gpu$",
        "gpu.+",
        ".*",
        "!.*x",
        r"gpu-\d",
        "(a|b)",
        "/gpu/",
    ],
)
def test_pattern_when_only_a_regular_expression_can_mean_it_then_is_refused(text: str) -> None:
    """As a glob it matches nothing, and the rule watches nothing."""
    with pytest.raises(ValueError, match=r"is a regular expression|is not needed"):
        values.parse_pattern(text)
