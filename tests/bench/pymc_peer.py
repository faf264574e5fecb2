"""pymc-marketing in a process and an environment of its own; asked by `tests.bench.forecasts` through a pipe.

One JSON object a line, in and out. {"load": path} reads an .npz of customers; {"fit": [model, …]} fits the
models to them, each a new object, and returns their parameters; {"versions": true} names what is installed.
Flat priors make the posterior the likelihood, and its maximum the one that everybody else looks for.
"""

import importlib.metadata
import json
import os
import sys
import warnings

warnings.simplefilter("ignore")
ANSWERS = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever else it prints

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from pymc_extras.prior import Prior  # noqa: E402
from pymc_marketing import clv  # noqa: E402

MODELS = {
    "bg_nbd": (clv.BetaGeoModel, ("r", "alpha", "a", "b")),
    "mbg_nbd": (clv.ModifiedBetaGeoModel, ("r", "alpha", "a", "b")),
    "pareto_nbd": (clv.ParetoNBDModel, ("r", "alpha", "s", "beta")),
    "gamma_gamma": (clv.GammaGammaModel, ("p", "q", "v")),
}


def fit(name, customers):
    """Return the parameters that `name` finds by MAP."""
    kind, parameters = MODELS[name]
    if name == "gamma_gamma":
        again = customers[customers["frequency"] > 0]
        data = again.assign(monetary_value=again["spend"] / again["frequency"])
    else:
        data = customers[["customer_id", "frequency", "recency", "T"]]
    model = kind(model_config={parameter: Prior("HalfFlat") for parameter in parameters})
    model.fit(data, method="map", progressbar=False)
    return {parameter: float(np.squeeze(model.fit_result[parameter].values)) for parameter in parameters}


def answer(request, state):
    """Return what is asked for."""
    if "load" in request:
        with np.load(request["load"]) as file:
            frame = pd.DataFrame({"frequency": file["x"], "recency": file["t_x"], "T": file["T"]})
            frame["spend"] = file["spend"]
        frame.insert(0, "customer_id", np.arange(len(frame)))
        state["customers"] = frame
        return {"customers": len(frame)}
    if "fit" in request:
        return {name: fit(name, state["customers"]) for name in request["fit"]}
    names = ("pymc-marketing", "pymc", "pytensor", "numpy", "pandas", "scipy")
    return {"Python": sys.version.split()[0], **{name: importlib.metadata.version(name) for name in names}}


def main():
    """Answer until the pipe is closed."""
    state = {}
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line), state)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        ANSWERS.write(json.dumps(reply) + "\n")
        ANSWERS.flush()


if __name__ == "__main__":
    main()
