"""One customer in words: what the sentences say, and what they leave unsaid."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from crm import sample
from crm.settings import load_settings
from crm.valuation import AHEAD_DAYS, CustomerForecast, Interval, outlook
from crm.workbench import Workbench
from tests.spelling import plain

SOMEBODY = CustomerForecast(
    as_of=date(2025, 6, 30),
    silent_days=71,
    gap_days=34.0,
    alive=Interval(0.62, 0.48, 0.75),
    orders_12m=Interval(2.1, 0.0, 4.2),
    revenue_12m=Interval(180.0, 95.0, 290.0),
    lifetime_value=Interval(400.0, 100.0, 700.0),
    after_order=0.91,
    after_silence=0.44,
    path=pd.DataFrame({"day": [date(2025, 6, 30)], "probability": [0.62]}),
    purchases=(date(2025, 4, 20),),
)


def said(found: CustomerForecast) -> tuple[str, ...]:
    return tuple(plain(sentence) for sentence in outlook(found))


def test_four_sentences_say_so_far_likely_expected_and_what_would_change_it():
    assert said(SOMEBODY) == (
        "Usually orders every 34 days; silent for 71 days.",
        "62 % (48 to 75) likely still a customer.",
        "Expected in 12 months: 2.1 orders (0.0 to 4.2), 180 (95 to 290).",
        "An order today would make it 91 %; 30 more days of silence 44 %.",
    )


def test_amounts_are_written_as_asked():
    assert "£180 (£95 to £290)." in outlook(SOMEBODY, money=lambda amount: f"£{amount:.0f}")[2]


@pytest.mark.parametrize(
    ("alive", "words"),
    [
        (Interval(0.0, 0.0, 0.0), "0 % likely still a customer."),
        (Interval(0.001, 0.0008, 0.002), "Under 1 % likely still a customer."),
        (Interval(0.999, 0.998, 0.9995), "Over 99 % likely still a customer."),
        (Interval(1.0, 1.0, 1.0), "100 % likely still a customer."),
        (Interval(0.954, 0.951, 0.9549), "95 % likely still a customer."),
    ],
)
def test_none_and_all_are_said_of_none_and_all_alone(alive: Interval, words: str):
    assert said(replace(SOMEBODY, alive=alive))[1] == words


def test_an_interval_that_ends_at_nothing_is_told_as_how_many_buy_nothing():
    """Its mean lies outside it, which in brackets would read as a mistake."""
    rare = replace(SOMEBODY, orders_12m=Interval(0.04, 0.0, 0.3), revenue_12m=Interval(3.4, 0.0, 0.0))
    assert said(rare)[2] == (
        "Expected in 12 months: under 0.1 orders, 3. Of five customers like this one, four or more order nothing."
    )


def test_somebody_who_bought_today_is_not_asked_to_buy_today():
    assert (
        said(replace(SOMEBODY, silent_days=0))[0] == "Usually orders every 34 days; bought on the as-of day."
    )
    assert said(replace(SOMEBODY, silent_days=0))[3] == "30 more days of silence would make it 44 %."
    first = replace(SOMEBODY, silent_days=0, gap_days=None)
    assert said(first)[0] == "Bought for the first time on the as-of day."


def test_a_model_in_which_nobody_like_them_leaves_names_no_probability():
    once = replace(SOMEBODY, gap_days=None, silent_days=1093, alive=Interval(1.0, 1.0, 1.0), told_apart=False)
    first, second, _, last = said(once)
    assert first == "Bought on one day so far; silent for 1,093 days."
    assert "cannot tell" in second
    assert "%" not in second + last


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """The workbench of the sample shop, to be read only."""
    opened = Workbench.open(load_settings(home=tmp_path_factory.mktemp("sample") / "home"))
    sample.load(opened.importer, actor="test", source="command line")
    yield opened
    opened.close()


def test_the_path_is_what_the_model_would_have_said_each_evening(shop: Workbench):
    """It steps up with a purchase, agrees with the words on the as-of day, and falls in the silence after it."""
    assumptions, as_of = shop.assumptions(), shop.as_of()
    found = shop.valuation.customer("C00098", assumptions, as_of=as_of)
    assert found is not None
    path = dict(zip(found.path["day"], found.path["probability"], strict=True))

    assert path[as_of] == pytest.approx(found.alive.expected, rel=1e-12)
    for bought in found.purchases[1:]:
        eve = date.fromordinal(bought.toordinal() - 1)
        if eve not in found.purchases:
            assert path[eve] < path[bought] or path[eve] == 1
    ahead = [path[day] for day in sorted(path) if day >= as_of]
    assert np.all(np.diff(ahead) < 0)
    assert max(path).toordinal() == as_of.toordinal() + AHEAD_DAYS
    assert found.told_apart


def test_what_is_said_of_a_customer_is_what_the_lists_say(shop: Workbench):
    assumptions, as_of = shop.assumptions(), shop.as_of()
    found = shop.valuation.customer("C00098", assumptions, as_of=as_of)
    row = shop.find_customer("C00098", as_of=as_of)
    assert found is not None
    assert found.alive.expected == pytest.approx(row["probability_alive"], rel=1e-9)
    assert found.orders_12m.expected == pytest.approx(row["expected_orders_12m"], rel=1e-9)
    assert found.lifetime_value.expected == pytest.approx(row["lifetime_value"], rel=1e-9)
    assert shop.valuation.customer("C01075", assumptions, as_of=as_of) is None, "who never bought"
    once = shop.valuation.customer("C03814", assumptions, as_of=as_of)
    assert once is not None
    assert not once.told_apart
    by_mbg = shop.valuation.customer("C03814", replace(assumptions, model="mbg_nbd"), as_of=as_of)
    assert by_mbg is not None
    assert by_mbg.told_apart
    assert by_mbg.alive.expected < 1
