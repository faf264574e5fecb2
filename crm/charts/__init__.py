"""Figures from small tables: each answers the question in its title.

Every function takes rows and column names first and its presentation by keyword, and returns a
`plotly.graph_objects.Figure`. Rows are a pandas, Arrow or Narwhals frame, or a list of dictionaries. What is
undefined (None, NaN) is left out or drawn as a gap, never as 0; no rows at all give `empty_figure`.

Every mark says what it stands for: the first item of its `customdata`, or the `id` of a tile, is the name of the
segment (or the month, or the bin) that a click asks for. `layout.meta["alt"]` holds the figure in words.
"""

from crm.charts.figures import (
    Details,
    Figure,
    Rows,
    empty_figure,
    tiles_of,
    title_of,
    with_tile_framed,
    without_title,
    words_of,
)
from crm.charts.forecasts import (
    alive_path,
    bridge,
    cohort_curves,
    concentration,
    tornado,
    tracking_curve,
)
from crm.charts.shop import backtest_bars, histogram, ranked_bar, revenue_over_time, segment_treemap

__all__ = [
    "Details",
    "Figure",
    "Rows",
    "alive_path",
    "backtest_bars",
    "bridge",
    "cohort_curves",
    "concentration",
    "empty_figure",
    "histogram",
    "ranked_bar",
    "revenue_over_time",
    "segment_treemap",
    "tiles_of",
    "title_of",
    "tornado",
    "tracking_curve",
    "with_tile_framed",
    "without_title",
    "words_of",
]
