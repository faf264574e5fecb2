"""How a forecast did on the past, for those who want to see it; and the forecasts that were kept."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import streamlit as st

from crm import charts, exports, wording
from crm.analytics.backtest import GRADES, HoldoutTest
from crm.analytics.btyd import TITLES
from crm.forecasting import Forecast
from crm.ui import cache, measures
from crm.ui.choices import choose_from
from crm.ui.forecasts import show_verdict
from crm.ui.tables import Column, table
from crm.ui.widgets import definition_note, plain, show_chart
from crm.wording import Measure

NONE = "none"

_ORDERS = Measure("Orders", "number")
_SHARE = Measure("", "percent")


_RULE_COLUMNS = (
    Column("rule", "Predicted by"),
    Column("revenue", "Revenue", Measure("", "money")),
    Column("actual_revenue", "Actual revenue", Measure("", "money")),
    Column("revenue_bias", "Off by", _SHARE, "(Predicted − actual) ÷ actual revenue: the bias"),
    Column("orders", "Orders", Measure("", "number")),
    Column("actual_orders", "Actual orders", Measure("")),
    Column("orders_bias", "Orders off by", _SHARE, "(Predicted − actual) ÷ actual orders: the bias"),
    Column(
        "rmse",
        "Error per customer",
        None,
        "Root mean square error (RMSE) of one customer's orders: lower is nearer",
    ),
)


def show_test(forecast: Forecast, *, key: str = "test") -> None:
    """Write the test of a forecast: its course, its rivals, by customer group, and the model behind it."""
    test = forecast.test
    if test is None:
        reasons = " ".join(reason.found for reason in forecast.verdict.reasons)
        st.info(plain(reasons), title="The history could not carry a test.", icon=":material/rule:")
        return
    st.markdown(f"**{plain(test.sentence())}** {plain(_orders_sentence(test))}")
    money = measures.money("Revenue")
    if test.tracking:
        show_chart(
            charts.tracking_curve(
                test.tracking,
                low="low",
                high="high",
                cut=test.cut,
                title="Did the forecast follow what came?",
                measure=Measure("Repeat orders", "number"),
                interval_title="80 % interval",
            ),
            key=f"{key}_tracking",
        )
    rules = _rules(test)
    show_chart(
        charts.backtest_bars(
            rules,
            "rule",
            "revenue",
            "actual_revenue",
            title="Was it nearer than a simple rule?",
            measure=money,
            period_title="Predicted by",
            low="low",
            high="high",
        ),
        key=f"{key}_rules",
    )
    _rules_table(rules, test, key)
    often, best = st.columns(2, gap="large")
    with often:
        show_chart(
            charts.backtest_bars(
                test.classes,
                "repeats",
                title="Does it hold for rare and frequent buyers?",
                measure=_ORDERS,
                period_title="Repeat orders before the test",
            ),
            key=f"{key}_classes",
        )
    with best:
        show_chart(
            charts.backtest_bars(
                test.deciles,
                "decile",
                title="Does it find the best customers?",
                measure=money,
                period_title="Tenth of customers, best predicted first",
            ),
            key=f"{key}_deciles",
        )
    definition_note(
        "An order is a day on which a customer bought. The test counts customers with a purchase by the day the "
        "model was fitted up to; revenue is after returns."
    )
    _candidates(forecast, key)
    _parameters(forecast, key)


def _orders_sentence(test: HoldoutTest) -> str:
    bias = "" if test.bias is None else f" ({wording.signed_percent(test.bias)})"
    together = (
        ""
        if test.correlation is None
        else f" Predicted and actual orders of the single customer correlate by {test.correlation:.2f}."
    )
    return (
        f"Of {test.customers:,} customers it predicted {test.predicted:,.0f} orders "
        f"({test.low:,.0f} to {test.high:,.0f}); there were {test.actual:,.0f}{bias}.{together} "
        f"{wording.percent(test.inside)} of the customers lay inside their own 80 % interval, which promises "
        f"{wording.percent(test.promised)}, since orders are whole numbers."
    )


def _rules(test: HoldoutTest) -> pd.DataFrame:
    """Return one row for the model and one for each simple rule, with what came."""
    model = {
        "rule": TITLES[test.model],
        "orders": test.predicted,
        "orders_bias": test.bias,
        "revenue": test.predicted_revenue,
        "revenue_bias": test.revenue_bias,
        "rmse": test.rmse,
        "low": test.low_revenue,
        "high": test.high_revenue,
    }
    others: list[dict[str, Any]] = [
        {
            "rule": rule.name,
            "orders": rule.orders,
            "orders_bias": rule.orders_bias,
            "revenue": rule.revenue,
            "revenue_bias": rule.revenue_bias,
            "rmse": rule.rmse,
            "low": None,
            "high": None,
        }
        for rule in test.naive
    ]
    rows = pd.DataFrame([model, *others])
    numbers = [name for name in rows if name != "rule"]
    return rows.astype(dict.fromkeys(numbers, float)).assign(
        actual_orders=test.actual, actual_revenue=test.actual_revenue
    )


def _rules_table(rules: pd.DataFrame, test: HoldoutTest, key: str) -> None:
    shown = rules.assign(rmse=[f"{error:.3f}" for error in rules["rmse"]])
    table(shown, _RULE_COLUMNS, key=f"{key}_rules_table", alt="The test: the model beside two simple rules")
    st.download_button(
        "Download the test (CSV)",
        lambda: csv_of(test),
        file_name=f"forecast-test-{test.as_of.isoformat()}.csv",
        mime="text/csv",
        on_click="ignore",
        key=f"{key}_download",
        icon=":material/download:",
    )


def csv_of(test: HoldoutTest) -> bytes:
    """Return the table of a test, the model beside simple rules, as a CSV file."""
    rows = _rules(test)[[column.name for column in _RULE_COLUMNS]]
    return exports.to_bytes(
        pa.Table.from_pandas(rows, preserve_index=False).to_reader(),
        format="csv",
        definition=f"Test of the forecast. {test.sentence()}",
        as_of=test.as_of,
        written_at=datetime.now(UTC),
    )


def _candidates(forecast: Forecast, key: str) -> None:
    st.subheader("Why this model?", anchor=False)
    st.markdown(plain(forecast.why))
    if forecast.test is not None and forecast.candidates:
        seen = min(one.customers for one in forecast.candidates)
        part = f", of {wording.count(seen)} of its customers" if seen < forecast.test.customers else ""
        st.caption(
            plain(f"Fitted to the history up to {wording.day(forecast.test.cut)}{part}; tested on the rest.")
        )
    rows = pd.DataFrame(
        [
            {
                "model": TITLES[one.model],
                "log_likelihood": one.log_likelihood,
                "predicted": one.predicted,
                "bias": one.bias,
                "rmse": f"{one.rmse:.3f}",
                "alive": one.share_alive,
            }
            for one in forecast.candidates
        ]
    )
    table(
        rows.astype({"bias": float}),
        (
            Column("model", "Model"),
            Column(
                "log_likelihood",
                "Log-likelihood",
                Measure("", "number"),
                "How likely the model makes the history",
            ),
            Column("predicted", "Orders predicted", Measure("", "number")),
            Column("bias", "Off by", _SHARE, "(Predicted − actual) ÷ actual orders in the holdout"),
            Column("rmse", "Error per customer", None, "Root mean square error (RMSE) of orders"),
            Column("alive", "Still customers", _SHARE, "Mean probability of being still a customer"),
        ),
        key=f"{key}_candidates",
        alt="The models compared: log-likelihood and error in the holdout",
    )


def _parameters(forecast: Forecast, key: str) -> None:
    fits = [
        (title, fit)
        for title, fit in (
            (forecast.fit and forecast.fit.title, forecast.fit),
            ("Gamma-Gamma", forecast.spend),
        )
        if fit is not None
    ]
    rows = [
        {
            "model": title,
            "parameter": {"alpha": "α", "beta": "β"}.get(name, name),
            "estimate": f"{value:,.4f}",
            "error": wording.UNDEFINED if (error := fit.standard_errors[name]) is None else f"± {error:,.4f}",
        }
        for title, fit in fits
        for name, value in fit.parameters.items()
    ]
    if not rows:
        return
    st.subheader("What did the fit find?", anchor=False)
    st.caption(
        plain(
            f"Fitted to the whole history up to {wording.day(forecast.as_of)}: what the forecast is made with."
        )
    )
    table(
        pd.DataFrame(rows),
        (
            Column("model", "Model"),
            Column("parameter", "Parameter"),
            Column("estimate", "Estimate"),
            Column("error", "Standard error"),
        ),
        key=f"{key}_parameters",
        alt="Parameters of the models with their standard errors",
    )


def earlier_forecasts(current: Forecast) -> None:
    """Write the forecasts that were kept, and the verdict and test of the one that is opened."""
    kept = {one.key: one for one in cache.workbench().forecasting.earlier() if one.key != current.key}
    with st.expander("Earlier forecasts", icon=":material/history:"):
        if not kept:
            st.markdown(
                "None yet. A forecast is kept whenever the orders, the as-of day, the model or the holdout change."
            )
            return
        table(
            pd.DataFrame(_kept_rows(list(kept.values()))),
            (
                Column("made_at", "Made at"),
                Column("as_of", "As of"),
                Column("version", "Data version", Measure("")),
                Column("model", "Model"),
                Column("verdict", "Verdict"),
                Column("predicted", "Predicted", Measure("", "money"), "Revenue of its holdout"),
                Column("actual", "Actual", Measure("", "money"), "Revenue of its holdout"),
                Column("bias", "Off by", _SHARE),
            ),
            key="earlier_table",
            alt="Forecasts that were kept: when they were made, of which data, their verdict and their test",
        )
        titles = {NONE: "None", **{name: _title(one) for name, one in kept.items()}}
        chosen = kept.get(choose_from("Show again", titles, name="earlier", default=NONE))
        if chosen is not None:
            show_verdict(chosen)
            show_test(chosen, key="earlier")


def _kept_rows(kept: Sequence[Forecast]) -> list[dict[str, Any]]:
    return [
        {
            "made_at": wording.moment(one.made_at),
            "as_of": wording.day(one.as_of),
            "version": one.orders_version,
            "model": _model(one),
            "verdict": GRADES[one.verdict.grade],
            "predicted": float("nan") if one.test is None else one.test.predicted_revenue,
            "actual": float("nan") if one.test is None else one.test.actual_revenue,
            "bias": float("nan")
            if one.test is None or one.test.revenue_bias is None
            else one.test.revenue_bias,
        }
        for one in kept
    ]


def _title(one: Forecast) -> str:
    holdout = "" if one.asked_weeks is None else f", tested on {one.asked_weeks} weeks"
    return (
        f"{wording.moment(one.made_at)}: as of {wording.day(one.as_of)}, data version {one.orders_version}, "
        f"{_model(one)}{holdout}"
    )


def _model(one: Forecast) -> str:
    return one.fit.title if one.fit else TITLES.get(one.asked_model, "No model")  # type: ignore[call-overload]
