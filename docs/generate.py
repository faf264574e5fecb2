"""Write the pages of docs/ that come from the code: definitions, settings and the command line.

`python docs/generate.py` writes them; `pages()` returns them, so that a test can compare.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from crm import cli, schema
from crm.analytics.rfm import SEGMENT_CODES
from crm.analytics.segments import SCHEMES
from crm.settings import Settings

DOCS = Path(__file__).resolve().parent
NOTE = "<!-- Written by docs/generate.py; change the code, then run `make docs`. -->\n"


def pages() -> dict[str, str]:
    """Return the text of every generated page by its name."""
    return {"definitions.md": definitions(), "settings.md": settings(), "cli.md": command_line()}


def definitions() -> str:
    lines = [
        "# Definitions",
        NOTE,
        "The same words on screen, in code and here.\n",
        "**As-of day**: the last day observed, inclusive; the last order day unless another is chosen.  ",
        "**Order total**: the sum of an order's line amounts. Above 0 it is a purchase, otherwise a return.  ",
        "**Revenue**: the sum of all amounts up to the as-of day, returns included.  ",
        "**Score**: 1 + floor(5 × customers strictly worse ÷ customers), among customers with a purchase; equal "
        "values always get equal scores.\n",
        "## The per-customer table\n",
        "One row per customer named by an order, an answer or a contact. Audiences filter on these fields, "
        "exports hold them.\n",
        "| Field | Type | Unit | Meaning |",
        "|---|---|---|---|",
        *(f"| `{field.name}` | {field.type} | {field.unit} | {field.meaning} |" for field in schema.FIELDS),
        "\nWhat a forecast fills is empty where its verdict is refused, and for customers without a purchase. "
        "Models, test, verdict and intervals: [forecasts.md](forecasts.md). A share of 0.62 reads 62 % on screen.",
        "\n## Schemes\n",
        "Each puts every customer with a purchase in exactly one segment.\n",
        *(f"- **{scheme.title}** (`{scheme.name}`): {scheme.meaning}" for scheme in SCHEMES),
        "\n## RFM segments by code\n",
        "Digits are recency, frequency and monetary score, 5 best: the 125-cell table that circulates as the "
        "Bloomreach segmentation.\n",
        "| Segment | Codes |",
        "|---|---|",
        *(
            f"| {name} | {' '.join(str(code) for code in sorted(codes, reverse=True))} |"
            for name, codes in SEGMENT_CODES.items()
        ),
        "\n## What a file may bring\n",
    ]
    for kind, columns in schema.KINDS.items():
        lines += [
            f"### {kind}\n",
            "| Column | Type | Needed | Meaning | Headers that are recognised |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| `{column.name}` | {column.type} | {'yes' if column.required else ''} | {column.meaning} | "
            f"{', '.join(column.synonyms)} |"
            for column in columns
        ]
        lines.append("")
    lines.append(
        "Orders need an amount, or a quantity and a unit price. Case, blanks and signs in headers do not matter.\n"
    )
    lines += [
        "### How cells may be written\n",
        "- **Dates**: year, month, day with any sign between; day or month first (asked where the file does not tell); "
        "month names in English, German, French, Spanish, Italian, Portuguese and Dutch; 2025年3月4日; a time, with or "
        "without a zone, behind them. Numbers such as 45000 or 1700000000 are asked about.",
        "- **Numbers**: 1,234.56 and 1.234,56 (one decimal mark in a file, asked where it does not tell), blanks or "
        "apostrophes between thousands, (12.50), 12-, a currency before or behind, full-width digits, 1.2万.",
        "- **E-mail**: one address that email-validator accepts without asking the network.",
        "- **Phone**: 4 to 17 digits and signs between; checked by the numbering plan of its country when it has a "
        "calling code, when the row names a country, or when one is chosen. A number that does not follow the plan is "
        "kept and counted.\n",
    ]
    return "\n".join(lines)


def settings() -> str:
    rows = [
        f"| `CLIENTELE_{name.upper()}` | {_default(name, field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(
        [
            "# Settings",
            NOTE,
            "Environment variables, read once at the start.\n",
            "| Variable | Default | Meaning |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _default(name: str, value: object) -> str:
    return "`data/store`" if name == "home" else f"`{value}`" if str(value) else "empty"


LIFETIME_VALUE_JSON = {
    "as_of customers unit": "the day, the customers with a purchase, and the unit of time: week",
    "model model_asked model_reason": "the model used (null where the history carries none), what was asked for, "
    "why this one",
    "r alpha a b, or r alpha s beta": "its parameters; standard_errors by name; log_likelihood",
    "gamma_gamma": "p q v standard_errors log_likelihood",
    "holdout": "the test: weeks cut customers model, its parameters then, log_likelihood; predicted actual bias "
    "(orders: purchase days of the customers known at the cut); predicted_revenue actual_revenue revenue_bias; "
    "correlation rmse; interval {level low high low_revenue high_revenue}; inside promised (shares of customers); "
    "naive [{name orders orders_bias revenue revenue_bias rmse}]",
    "verdict": "grade (usable, care, refused) usable reasons help",
    "total low high mean median": "lifetime value by the forecast; null where it is refused",
    "expected_orders_12m probability_alive": "means over customers; null where it is refused",
    "years discount_rate margin": "what was assumed",
    "acquisition_cost annual_revenue": "of all customers together",
    "dcf": "by the formula: total mean median annual_revenue; test {days cut predicted actual bias usable reasons}",
}


def command_line() -> str:
    os.environ["COLUMNS"] = "100"
    parser = cli._parser()
    parts = ["# The command line", NOTE, "```", parser.format_help().rstrip(), "```\n"]
    actions = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for name, command in actions.choices.items():
        parts += [f"## {name}\n", "```", command.format_help().rstrip(), "```\n"]
        if name == "lifetime-value":
            parts += ["| `--json` | Meaning |", "|---|---|"]
            parts += [f"| {keys} | {meaning} |" for keys, meaning in LIFETIME_VALUE_JSON.items()]
            parts += ["", "More: [forecasts.md](forecasts.md).\n"]
    return "\n".join(parts)


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
