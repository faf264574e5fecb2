"""Logs: one JSON object per line on standard error, ids instead of personal data."""

import logging
import secrets
import sys
import traceback

import structlog


def configure(level: str) -> None:
    """Send log lines of `level` and above to standard error as JSON."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        # Asked for at each line: standard error may have been replaced since, and the old one closed.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def log_unexpected(error: BaseException) -> str:
    """Log an error nobody foresaw and return the id to find it by.

    What is logged is the kind of error and where it rose, never its text: that may quote a customer's data.
    """
    number = secrets.token_hex(4)
    places = [
        f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    ]
    structlog.get_logger().error("unexpected", id=number, kind=type(error).__name__, places=places[-12:])
    return number
