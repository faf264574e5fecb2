"""The parts of the loyalty page: its key figures and its tables."""

import pandas as pd

from crm import wording
from crm.analytics.segments import find_scheme
from crm.ui import state
from crm.ui.links import open_lifecycle_year, open_segment
from crm.ui.tables import Column, table
from crm.ui.widgets import Kpi, empty_state
from crm.wording import Measure
from crm.workbench import Loyalty

RATES = {
    "repeat_rate": "Repeat rate",
    "feedback_rate": "Feedback rate",
    "recommendation_rate": "Recommendation rate",
}
DEFINITIONS = (
    "Repeat rate: customers with two purchases or more ÷ customers. Feedback rate: feedback answers ÷ purchases. "
    "Recommendation rate: recommendations (9, 10 or yes) ÷ purchases. Lifecycle: years of 365 days since the first "
    "purchase."
)

_COLUMNS = (
    Column("customers", "Customers", Measure("Customers")),
    Column("repeat_rate", "Repeat rate", Measure("Repeat rate", "percent")),
    Column("purchases", "Purchases", Measure("Purchases")),
    Column("feedback_answers", "Answers", Measure("Answers"), "Answers with feedback"),
    Column("feedback_rate", "Feedback rate", Measure("Feedback rate", "percent")),
    Column("recommendations", "Recommendations", Measure("Recommendations")),
    Column("recommendation_rate", "Recommendation rate", Measure("Recommendation rate", "percent")),
)


def rates(found: Loyalty) -> dict[str, str]:
    """Return the rates that can be compared: without answers only that of coming back."""
    return RATES if answered(found) else {"repeat_rate": RATES["repeat_rate"]}


def answered(found: Loyalty) -> bool:
    """Return whether any answer is on record up to the as-of day."""
    return bool(found.feedback_answers or found.recommendations or found.nps.answers)


def kpis(found: Loyalty) -> list[Kpi]:
    """Return the key figures; those made of answers read "–" while there are none."""
    asked = answered(found)
    feedback = found.feedback_rate if asked else None
    recommended = found.recommendation_rate if asked else None
    score, error = found.nps.score, found.nps.standard_error
    nps = wording.UNDEFINED if score is None else wording.with_minus(f"{score:+.0f} ± {error or 0:.1f}")
    return [
        Kpi(
            "Repeat rate",
            wording.percent(found.repeat_rate),
            help="Customers with two purchases or more ÷ customers with a purchase.",
            exact=wording.percent_exact(found.repeat_rate),
        ),
        Kpi(
            "Feedback rate",
            wording.percent(feedback),
            help="Feedback answers ÷ purchases.",
            exact=f"{found.feedback_answers:,} answers ÷ {found.purchases:,} purchases" if asked else "",
        ),
        Kpi(
            "Recommendation rate",
            wording.percent(recommended),
            help="Recommendations (answers of 9, 10 or yes) ÷ purchases.",
            exact=f"{found.recommendations:,} recommendations ÷ {found.purchases:,} purchases"
            if asked
            else "",
        ),
        Kpi(
            "Mean lifecycle",
            wording.years(found.lifecycle_years),
            help="Mean of (as-of day − first purchase day) ÷ 365 over customers with a purchase.",
        ),
        Kpi(
            f"NPS, n = {found.nps.answers:,}" if found.nps.answers else "NPS",
            nps,
            help="Net Promoter Score: share answering 9 or 10 minus share answering 0 to 6, in points, ± its standard error.",
            exact=f"{found.nps.promoters:,} promoters, {found.nps.detractors:,} detractors",
        ),
    ]


def no_answers() -> None:
    """Write that there are no answers yet, and which file brings them."""
    empty_state(
        "There are no answers of customers yet.",
        "Import a file of responses: one row per answer, with a customer, a date, and the feedback or the "
        "likelihood to recommend from 0 to 10 (or yes / no). Feedback in a file of orders counts too.",
        page=state.IMPORT,
        page_label="Import responses",
    )


def year_name(full_years: str) -> str:
    """Return the name of the lifecycle year after `full_years`: "1st year" after none."""
    number = int(full_years) + 1
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending} year"


def segment_rates(found: Loyalty, scheme: str) -> None:
    """Write the rates of each segment; a click on a name opens its customers."""
    row = _rates(found, found.segments, "Segment", key=f"rates_{scheme}")
    if row is not None:
        open_segment(find_scheme(scheme), str(found.segments["segment"].iloc[row]))


def lifecycle_rates(found: Loyalty) -> None:
    """Write the rates of each lifecycle year; a click on a year opens its customers."""
    years = found.lifecycle["segment"].astype(int).astype(str)
    row = _rates(
        found, found.lifecycle.assign(segment=years.map(year_name)), "Lifecycle year", key="rates_years"
    )
    if row is not None:
        open_lifecycle_year(years.iloc[row])


def _rates(found: Loyalty, rows: pd.DataFrame, title: str, *, key: str) -> int | None:
    columns = _COLUMNS if answered(found) else _COLUMNS[:3]
    return table(
        rows,
        (Column("segment", title), *columns),
        key=key,
        alt=f"Repeat, feedback and recommendation rate by {title.lower()}",
        opens="segment",
        opens_help="Click a name to see its customers.",
    )
