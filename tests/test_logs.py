"""Log lines go to where standard error is now, and name no customer."""

import io
import json
import sys

from crm import logs


def test_a_line_goes_to_the_standard_error_of_its_own_moment(monkeypatch):
    """A command that ran with another standard error leaves no closed file behind."""
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", first)
    logs.configure("INFO")
    first.close()
    monkeypatch.setattr(sys, "stderr", second)

    number = logs.log_unexpected(ValueError("ann@example.org"))

    line = json.loads(second.getvalue())
    assert (line["id"], line["kind"]) == (number, "ValueError")
    assert "ann@example.org" not in second.getvalue()
