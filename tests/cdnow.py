"""The CDNOW purchases of the papers, as far as the real data is on this machine."""

from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np
import pandas as pd

from crm.analytics.btyd import Histories
from tests.conftest import SHARED

CALIBRATED = date(1997, 9, 30)
ENDED = date(1998, 6, 30)


@dataclass(frozen=True)
class Customers:
    """One entry per customer, in the file's order: history in weeks, repeat spend, and what came afterwards."""

    x: np.ndarray
    t_x: np.ndarray
    T: np.ndarray
    repeat_spend: np.ndarray
    later: np.ndarray
    later_spend: np.ndarray

    @property
    def histories(self):
        """One entry per customer."""
        return Histories(self.x, self.t_x, self.T)

    @property
    def distinct(self):
        """One entry per distinct history."""
        return grouped(self.x, self.t_x, self.T)


def grouped(x, t_x, T):
    """Return the distinct histories and how many customers share each."""
    rows, customers = np.unique(np.column_stack([x, t_x, T]), axis=0, return_counts=True)
    return Histories(rows[:, 0], rows[:, 1], rows[:, 2], customers)


@cache
def purchases(name):
    """Return purchase days of "sample" or "master": columns id, day, spend; a day's rows make one purchase."""
    if name == "sample":
        path, names = "CDNOW_sample.txt", ["master_id", "id", "day", "cds", "spend"]
        rows = pd.read_csv(SHARED / "cdnow" / path, sep=r"\s+", names=names, dtype={"day": str})
    else:
        path, names = "CDNOW_master.txt", ["id", "day", "cds", "spend"]
        rows = pd.read_csv(SHARED / "cdnow" / path, sep=r"\s+", skiprows=1, names=names, dtype={"day": str})
    rows["day"] = pd.to_datetime(rows["day"], format="%Y%m%d")
    return rows.groupby(["id", "day"], as_index=False)["spend"].sum()


@cache
def customers(name, until=CALIBRATED):
    """Return the customers of "sample" or "master" as seen at the end of `until`, and until the data's end."""
    rows = purchases(name)
    first = rows.groupby("id")["day"].transform("min")
    repeat = rows["day"] > first
    seen = rows["day"] <= pd.Timestamp(until)
    born = rows.groupby("id")["day"].min()

    def of(mask, what):
        return what[mask].groupby(rows["id"][mask]).sum().reindex(born.index, fill_value=0).to_numpy()

    ones = pd.Series(1, index=rows.index)
    last = rows[seen].groupby("id")["day"].max()
    return Customers(
        x=of(seen & repeat, ones),
        t_x=((last - born).dt.days / 7).to_numpy(),
        T=((pd.Timestamp(until) - born).dt.days / 7).to_numpy(),
        repeat_spend=of(seen & repeat, rows["spend"]).astype(float),
        later=of(~seen, ones),
        later_spend=of(~seen, rows["spend"]).astype(float),
    )
