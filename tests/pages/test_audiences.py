"""The audiences page: rule, count, list and file agree."""

import io
import json
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from crm import audiences, exports
from crm.analytics.segments import Bands
from crm.audiences import All, Leaf, Not
from crm.audiences import Any as AnyOf
from crm.records.audiences import list_audiences
from crm.schema import FIELDS
from crm.ui import cache, downloads, rule_builder, state
from tests.pages.conftest import link_of, open_page, text_of

CHAMPIONS = '{"field":"rfm_segment","op":"=","value":"Champions"}'

SHOWABLE: list[dict[str, Any]] = [
    {"field": "rfm_segment", "op": "in", "value": ["Champions", "Loyal"]},
    {"field": "region", "op": "!=", "value": "North"},
    {"field": "city", "op": "=", "value": "Beijing"},
    {"field": "city", "op": "in", "value": ["北京", "A city nobody lives in"]},
    {"field": "name", "op": "contains", "value": "an"},
    {"field": "customer_id", "op": "in", "value": ["C00001", "C00002"]},
    {"field": "revenue", "op": ">=", "value": 1234.5678},
    {"field": "revenue", "op": "between", "value": [100, 2500.5]},
    {"field": "orders", "op": "between", "value": [2, 5]},
    {"field": "probability_alive", "op": ">=", "value": 0.573},
    {"field": "probability_alive", "op": "between", "value": [0.07, 0.625]},
    {"field": "probability_alive", "op": "<", "value": 62},
    {"field": "lifetime_value", "op": ">", "value": 1000},
    {"field": "expected_orders_12m", "op": ">=", "value": 2.5},
    {"field": "orders", "op": "!=", "value": 1},
    {"field": "monetary_score", "op": "in", "value": [4, 5]},
    {"field": "last_order_day", "op": ">=", "value": "2026-06-01"},
    {"field": "birth_date", "op": "between", "value": ["1890-01-01", "1980-12-31"]},
    {"field": "email_consent", "op": "=", "value": True},
    {"field": "email_consent", "op": "=", "value": False},
    {"field": "email", "op": "is_empty"},
    {"field": "email", "op": "is_empty", "value": False},
    {"any": [{"field": "orders", "op": ">", "value": 50}, {"field": "age", "op": "<", "value": 25}]},
    {
        "all": [
            {"field": "orders", "op": ">", "value": 0},
            {"any": [{"field": "city", "op": "=", "value": "北京"}, {"field": "gender", "op": "=", "value": "female"}]},
        ]
    },
]  # fmt: skip

NOT_SHOWABLE: list[dict[str, Any]] = [
    {"not": {"field": "city", "op": "=", "value": "Beijing"}},
    {"all": [{"any": [{"all": [{"field": "orders", "op": ">", "value": 1}, {"field": "age", "op": ">", "value": 30}]}]}]},
    {"field": "orders", "op": "in", "value": [1, 2, 3]},
]  # fmt: skip


def open_rule(app: AppTest, rule: dict[str, Any] | str, **link: str) -> AppTest:
    text = rule if isinstance(rule, str) else json.dumps(rule, ensure_ascii=False)
    return open_page(app, state.AUDIENCES, rule=text, **link)


def test_without_orders_it_says_what_to_do_next(empty_app: AppTest) -> None:
    """The empty store leads on."""
    open_page(empty_app, state.AUDIENCES)

    assert "There are no orders yet." in text_of(empty_app)
    assert not empty_app.exception


def test_without_a_rule_it_lists_every_customer(sample_app: AppTest) -> None:
    """Customers without a purchase are in the list too."""
    open_page(sample_app, state.AUDIENCES)

    assert "5,000 customers — 100 % of 5,000" in text_of(sample_app)
    assert len(sample_app.dataframe[0].value) == 50


def test_every_kind_of_condition_in_a_link_is_shown_in_the_form(sample_app: AppTest, shop) -> None:
    """The form shows the rule, counts what the rule counts, and leaves the link as it came."""
    for rule in SHOWABLE:
        text = json.dumps(rule, ensure_ascii=False)
        open_rule(sample_app, text)
        wanted = shop.audience_size(audiences.parse(text), as_of=shop.as_of())

        assert not sample_app.exception, rule
        assert not sample_app.error, rule
        assert f"{wanted:,} customers — " in text_of(sample_app), rule
        assert link_of(sample_app, "rule") == text
        assert audiences.sentence(audiences.parse(text)) in text_of(sample_app)
        assert [box for box in sample_app.selectbox if box.label == "Field"], rule
        # What the inputs hold is the rule, and not only what the link says: another condition keeps it.
        sample_app.button(key="rule_add").click().run()
        assert f"{wanted:,} customers — " in text_of(sample_app), rule


def test_a_share_is_written_and_listed_as_a_percentage(sample_app: AppTest) -> None:
    """Of the rule's 0.62 the form makes 62, the list writes percent, and the forecast says how it was tested."""
    open_rule(
        sample_app, {"field": "probability_alive", "op": ">=", "value": 0.62}, columns="probability_alive"
    )

    (box,) = sample_app.number_input
    assert box.value == 62
    shown = sample_app.dataframe[0].value["probability_alive"]
    assert shown.between(62, 100).all()
    assert "Likely still a customer at least 62 %" in text_of(sample_app)
    assert "Forecast by BG/NBD, usable. Fitted on data to 30 Sep 2025." in text_of(sample_app)

    box.set_value(57.3).run()
    assert json.loads(link_of(sample_app, "rule") or "") == {
        "field": "probability_alive",
        "op": ">=",
        "value": 0.573,
    }


def test_a_refused_forecast_is_said_where_its_fields_are_asked_for(sample_app: AppTest) -> None:
    """Nobody is found, and the page says why."""
    open_rule(
        sample_app, {"field": "lifetime_value", "op": ">", "value": 0}, as_of="2023-12-31", columns="name"
    )

    assert "0 customers — " in text_of(sample_app)
    assert "No forecast: 459 customers bought" in text_of(sample_app)


def test_what_the_form_says_is_the_rule_of_the_link() -> None:
    """For each rule that can be shown, the form's own parts say the same again."""
    numbers = iter(range(1000))
    for node in SHOWABLE:
        rule = audiences.parse(json.dumps(node))
        draft = rule_builder.draft_of(rule, lambda: next(numbers))
        assert draft is not None
        parts = [
            said(part)
            if isinstance(part, rule_builder.Condition)
            else rule_builder.joined(part.match, [said(row) for row in part.conditions])
            for part in draft.parts
        ]

        assert audiences.parse(rule_builder.joined(draft.match, parts)) == rule


def said(row: rule_builder.Condition) -> dict[str, object]:
    assert row.field is not None
    assert row.op is not None
    value = list(row.value) if isinstance(row.value, tuple) else row.value
    return rule_builder.node_of(row.field, row.op, value)


def test_a_rule_that_the_form_cannot_show_still_counts(sample_app: AppTest, shop) -> None:
    """It is said in words and listed; the form stands aside."""
    for rule in NOT_SHOWABLE:
        text = json.dumps(rule)
        open_rule(sample_app, text)
        wanted = shop.audience_size(audiences.parse(text), as_of=shop.as_of())

        assert f"{wanted:,} customers — " in text_of(sample_app)
        assert "shown in words only" in text_of(sample_app)
        assert audiences.sentence(audiences.parse(text)) in text_of(sample_app)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{", "The rule is not readable JSON"),
        ('{"field": "revenu", "op": ">", "value": 1}', "There is no field “revenu”"),
        ('{"field": "revenue", "op": ">", "value": "much"}', "Revenue is an amount of money"),
        ('{"any": []}', "no customer could match"),
    ],
)
def test_nonsense_in_the_link_is_answered_with_a_way_on(sample_app: AppTest, rule: str, said: str) -> None:
    """The message says what was found; one click starts with all customers."""
    open_rule(sample_app, rule)
    assert said in text_of(sample_app)
    assert not sample_app.exception

    sample_app.button(key="rule_anew").click().run()
    assert "5,000 customers" in text_of(sample_app)
    assert not sample_app.error


def test_a_rule_is_built_row_by_row_and_stands_in_the_link(sample_app: AppTest, shop) -> None:
    """Field, comparison and value; until it has a value a row is left out."""
    open_page(sample_app, state.AUDIENCES)
    sample_app.button(key="rule_add").click().run()
    box(sample_app, "Field").set_value("orders").run()
    assert "5,000 customers" in text_of(sample_app)
    assert link_of(sample_app, "rule") is None

    box(sample_app, "Comparison").set_value(">").run()
    next(item for item in sample_app.number_input if item.key.startswith("rule_")).set_value(20).run()

    rule = Leaf("orders", ">", 20)
    assert link_of(sample_app, "rule") == audiences.to_json(rule)
    assert f"{shop.audience_size(rule, as_of=shop.as_of()):,} customers" in text_of(sample_app)


def test_rows_hold_together_by_all_or_by_any(sample_app: AppTest, shop) -> None:
    """The choice between all and any is offered once there is more than one row."""
    rows = (Leaf("orders", ">", 20), Leaf("age", "<", 30))
    open_rule(sample_app, audiences.to_json(All(rows)))
    choice = next(item for item in sample_app.segmented_control if item.key.endswith("_match"))
    choice.set_value("any").run()

    assert audiences.parse(str(link_of(sample_app, "rule"))) == AnyOf(rows)
    wanted = shop.audience_size(AnyOf(rows), as_of=shop.as_of())
    assert f"{wanted:,} customers" in text_of(sample_app)


def test_a_group_counts_as_one_condition(sample_app: AppTest) -> None:
    """A new group starts with two rows of which any must hold."""
    open_rule(sample_app, CHAMPIONS)
    sample_app.button(key="rule_add_group").click().run()
    for field, place in (("email_consent", 1), ("phone_consent", 2)):
        boxes(sample_app, "Field")[place].set_value(field).run()
        boxes(sample_app, "Value")[-1].set_value("yes").run()

    assert audiences.parse(str(link_of(sample_app, "rule"))) == All(
        (
            Leaf("rfm_segment", "=", "Champions"),
            AnyOf((Leaf("email_consent", "=", True), Leaf("phone_consent", "=", True))),
        )
    )


def test_removing_the_last_row_is_everybody_again(sample_app: AppTest) -> None:
    """The link then holds no rule."""
    open_rule(sample_app, CHAMPIONS)
    remove = next(button for button in sample_app.button if str(button.key).endswith("_remove"))
    remove.click().run()

    assert link_of(sample_app, "rule") is None
    assert "5,000 customers" in text_of(sample_app)


def test_a_range_the_wrong_way_round_is_refused_where_it_stands(sample_app: AppTest) -> None:
    """The form stays, so that it can be mended."""
    open_rule(sample_app, {"field": "orders", "op": "between", "value": [2, 5]})
    next(item for item in sample_app.number_input if item.label == "From").set_value(9).run()
    assert "runs from 9 down to 5" in text_of(sample_app)

    next(item for item in sample_app.number_input if item.label == "To").set_value(12).run()
    assert not sample_app.error
    assert "Orders between 9 and 12" in text_of(sample_app)


def test_the_form_holds_what_was_changed_when_one_comes_back(sample_app: AppTest) -> None:
    """Going to another page and back shows the rule as it was left, not as it was first opened."""
    open_rule(sample_app, {"field": "orders", "op": ">", "value": 20})
    next(item for item in sample_app.number_input if item.key.startswith("rule_")).set_value(3).run()
    left = str(link_of(sample_app, "rule"))
    open_page(sample_app, state.LOYALTY)
    open_rule(sample_app, left)

    assert link_of(sample_app, "rule") == left
    assert "Orders over 3" in text_of(sample_app)


def test_pages_of_the_list_hold_each_customer_once(sample_app: AppTest) -> None:
    """All pages of an audience together are the audience."""
    seen: list[str] = []
    for page in range(1, 16):
        open_rule(sample_app, CHAMPIONS, page=str(page))
        seen += list(sample_app.dataframe[0].value["customer_id"])

    assert len(seen) == len(set(seen)) == 748


def test_a_page_past_the_end_leads_back_to_the_first(sample_app: AppTest) -> None:
    """The message says how many pages there are."""
    for page, words in (
        ("99", "There is no page 99; the list has 15 pages."),
        ("-1", "“-1” is not the number"),
    ):
        open_rule(sample_app, CHAMPIONS, page=page)
        assert words in text_of(sample_app)
        sample_app.button(key="audience_first").click().run()
        assert len(sample_app.dataframe[0].value) == 50
        assert not sample_app.error


def test_turning_a_page_and_narrowing_the_rule(sample_app: AppTest) -> None:
    """The page stands in the link; a changed rule starts at page 1."""
    open_rule(sample_app, {"field": "orders", "op": ">", "value": 0})
    sample_app.get_by_key("audience_page_1").set_value(7).run()
    assert link_of(sample_app, "page") == "7"
    assert "301 to 350 of 4,700" in text_of(sample_app)

    next(item for item in sample_app.number_input if item.key.startswith("rule_")).set_value(40).run()
    assert link_of(sample_app, "page") is None
    assert "1 to 50 of" in text_of(sample_app)


def test_columns_and_order_stand_in_the_link(sample_app: AppTest) -> None:
    """Sorted by age, smallest first, with two columns."""
    open_rule(sample_app, CHAMPIONS, columns="name,age", sorted="age", order="up")
    table = sample_app.dataframe[0].value

    assert list(table.columns) == ["customer_id", "name", "age"]
    assert table["age"].is_monotonic_increasing

    open_rule(sample_app, CHAMPIONS, columns="name,shoe_size", sorted="luck")
    assert "shoe_size" in text_of(sample_app)
    assert "“luck”" in text_of(sample_app)
    assert len(sample_app.dataframe[0].value) == 50


def test_only_those_who_said_yes_are_reached(sample_app: AppTest, shop) -> None:
    """Narrowing by consent changes count, list and sentence alike, and leaves the rule as it is."""
    rule = audiences.reachable(audiences.parse(CHAMPIONS), by="email")
    wanted = shop.audience_size(rule, as_of=shop.as_of())
    open_rule(sample_app, CHAMPIONS, reach="email")

    assert 0 < wanted < 748
    assert f"{wanted:,} customers" in text_of(sample_app)
    assert audiences.sentence(rule) in text_of(sample_app)
    assert link_of(sample_app, "rule") == CHAMPIONS


@pytest.mark.parametrize("kind", exports.formats(), ids=lambda kind: kind.title)
@pytest.mark.parametrize("columns", [None, ["customer_id", "name", "revenue"]])
def test_a_file_holds_as_many_rows_as_the_live_count(
    shop, kind: exports.Format, columns: list[str] | None
) -> None:
    """All matching customers are in the file, not the page shown, in every format."""
    rule = audiences.reachable(All((Leaf("orders", ">", 3), Not(Leaf("city", "is_empty")))), by="email")
    as_of = shop.as_of()
    content = downloads.file_maker(shop, rule, as_of=as_of, kind=kind, columns=columns)()
    file = io.BytesIO(content)
    rows = {"xlsx": pd.read_excel, "csv": pd.read_csv, "parquet": pd.read_parquet}[kind.name](
        file, **({"engine": "calamine"} if kind.name == "xlsx" else {})
    )

    assert len(rows) == shop.audience_size(rule, as_of=as_of) > 50
    assert rows["customer_id"].is_unique
    assert len(rows.columns) == (len(FIELDS) if columns is None else 3)


def test_the_file_holds_the_customers_in_the_order_of_the_list(
    sample_app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most valuable first where the list has them first."""
    made: list[Callable[[], bytes]] = []
    whole = downloads.file_maker

    def watched(*given: Any, **options: Any) -> Callable[[], bytes]:
        made.append(whole(*given, **options))
        return made[-1]

    monkeypatch.setattr(downloads, "file_maker", watched)
    for order, descending in (("down", True), ("up", False)):
        open_rule(sample_app, CHAMPIONS, sorted="lifetime_value", order=order)
        rows = pd.read_excel(io.BytesIO(made[-1]()), engine="calamine")
        shown = sample_app.dataframe[0].value

        assert list(rows["customer_id"][: len(shown)]) == list(shown["customer_id"])
        assert rows["lifetime_value"].is_monotonic_decreasing is descending


def test_the_export_button_says_how_many_customers_the_file_will_hold_and_its_format(
    sample_app: AppTest,
) -> None:
    """The number on the button is the live count, the format the one chosen last."""
    open_rule(sample_app, CHAMPIONS)
    assert [button.label for button in sample_app.get("download_button")] == [
        "Download 748 customers as Excel"
    ]

    sample_app.radio(key="export_format").set_value("CSV for programs").run()
    assert [button.label for button in sample_app.get("download_button")] == [
        "Download 748 customers as CSV for programs"
    ]


def test_an_audience_is_saved_loaded_changed_and_deleted_with_undo(sample_app: AppTest) -> None:
    """Each act is said, and can be taken back."""
    open_rule(sample_app, CHAMPIONS)
    sample_app.text_input(key="saved_audience_name").set_value("Our best")
    sample_app.button(key="saved_audience_save").click().run()
    assert "The audience “Our best” is saved." in text_of(sample_app)
    assert names() == ["Our best"]

    chosen = sample_app.selectbox(key="saved_audience").value
    open_page(sample_app, state.LOYALTY)
    open_page(sample_app, state.AUDIENCES)
    assert sample_app.selectbox(key="saved_audience").value is None
    sample_app.selectbox(key="saved_audience").set_value(chosen).run()
    assert link_of(sample_app, "rule") == CHAMPIONS
    assert "748 customers" in text_of(sample_app)

    box(sample_app, "Value").set_value("Loyal").run()
    sample_app.button(key="saved_audience_change").click().run()
    assert "holds the rule shown" in text_of(sample_app)

    sample_app.button(key="saved_audience_delete").click().run()
    assert names() == []
    next(button for button in sample_app.button if button.label == "Undo").click().run()
    assert names() == ["Our best"]


def save_as(app: AppTest, name: str) -> None:
    app.text_input(key="saved_audience_name").set_value(name)
    app.button(key="saved_audience_save").click().run()


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_undo_stays_until_it_is_dismissed(sample_app: AppTest) -> None:
    """Neither the next run nor another page takes it away; the history keeps it after that."""
    open_rule(sample_app, CHAMPIONS)
    save_as(sample_app, "Our best")
    sample_app.run()
    assert "Undo" in labels(sample_app)
    open_page(sample_app, state.LOYALTY)
    assert "The audience “Our best” is saved." in text_of(sample_app)

    next(button for button in sample_app.button if button.label == "Dismiss").click().run()
    assert "Undo" not in labels(sample_app)
    assert names() == ["Our best"]

    open_page(sample_app, state.HISTORY)
    assert "**created** audience “Our best”" in text_of(sample_app)
    next(button for button in sample_app.button if button.label == "Undo").click().run()
    assert names() == []
    assert "(undone)" in text_of(sample_app)
    assert "**deleted** audience “Our best”, taking back an act before" in text_of(sample_app)


def test_the_next_act_replaces_the_undo_of_the_one_before(sample_app: AppTest) -> None:
    """One act at a time is offered; once it is undone there is nothing left to offer."""
    open_rule(sample_app, CHAMPIONS)
    save_as(sample_app, "First")
    save_as(sample_app, "Second")
    assert labels(sample_app).count("Undo") == 1
    assert "“Second” is saved" in text_of(sample_app)
    assert "“First” is saved" not in text_of(sample_app)

    next(button for button in sample_app.button if button.label == "Undo").click().run()
    assert names() == ["First"]
    assert "Undo" not in labels(sample_app)


def test_what_goes_wrong_in_an_act_is_said_and_logged_under_an_id(
    sample_app: AppTest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page goes on; the id of the message finds the line in the log, which quotes nothing."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("anna@example.com")

    monkeypatch.setattr("crm.ui.saved_audiences.save_audience", fail)
    open_rule(sample_app, CHAMPIONS)
    save_as(sample_app, "Our best")
    said = sample_app.toast[0].value.replace("\\", "")
    number = re.findall(r"\((\w{8})\)", said)[0]
    logged = [line for line in capsys.readouterr().err.splitlines() if number in line]

    assert "Something unexpected went wrong" in said
    assert len(logged) == 1
    assert json.loads(logged[0])["kind"] == "RuntimeError"
    assert "anna" not in said + logged[0]
    assert "748 customers" in text_of(sample_app)
    assert not sample_app.exception


def test_columns_of_schemes_are_explained_by_the_bands_as_edited(sample_app: AppTest) -> None:
    """The help of a column quotes the limits that its values were made with."""
    cache.workbench().save_bands(Bands(value_class=(0.7, 0.9), age_group=(25, 50)), actor="test")
    open_rule(sample_app, CHAMPIONS, columns="value_class,age_group")
    helps = {
        name: str(config.get("help")).replace("\\", "")
        for name, config in json.loads(sample_app.dataframe[0].proto.columns).items()
    }

    assert helps["value_class"] == (
        "Customers sorted by revenue: A makes the first 70 %, B the next 20 %, C the rest."
    )
    assert "under 25 Young" in helps["age_group"]


def test_an_audience_without_a_name_is_refused(sample_app: AppTest) -> None:
    """Nothing is saved, and the message stands on the next run."""
    open_rule(sample_app, CHAMPIONS)
    sample_app.button(key="saved_audience_save").click().run()

    assert names() == []
    assert "name" in " ".join(toast.value for toast in sample_app.toast)


def test_the_rule_can_be_written_as_text(sample_app: AppTest) -> None:
    """Any rule is accepted there, and an unreadable one is answered."""
    open_page(sample_app, state.AUDIENCES)
    sample_app.text_area(key="rule_text").set_value(CHAMPIONS)
    sample_app.button(key="rule_text_use").click().run()
    assert "748 customers" in text_of(sample_app)

    sample_app.text_area(key="rule_text").set_value("{")
    sample_app.button(key="rule_text_use").click().run()
    assert "748 customers" in text_of(sample_app)
    assert "not readable JSON" in " ".join(toast.value for toast in sample_app.toast)


def test_nobody_is_an_answer(sample_app: AppTest) -> None:
    """An audience without customers says so and offers no file."""
    open_rule(sample_app, {"field": "revenue", "op": "<", "value": -1})

    assert "0 customers — 0 % of 5,000" in text_of(sample_app)
    assert "Nobody meets this rule." in text_of(sample_app)


def test_an_earlier_day_counts_what_was_known_then(sample_app: AppTest, shop) -> None:
    """Count and sentence belong to the as-of day of the link."""
    rule = audiences.parse(CHAMPIONS)
    wanted = shop.audience_size(rule, as_of=date(2025, 1, 31))
    open_rule(sample_app, CHAMPIONS, as_of="2025-01-31")

    assert f"{wanted:,} customers" in text_of(sample_app)
    assert "As of 31 Jan 2025." in text_of(sample_app)


def box(app: AppTest, label: str) -> Any:
    return boxes(app, label)[0]


def boxes(app: AppTest, label: str) -> list[Any]:
    return [item for item in app.selectbox if item.label == label]


def names() -> list[str]:
    with cache.workbench().records.read() as session:
        return [audience.name for audience in list_audiences(session)]
