"""What the tests of the sandbox have its child do."""

import os
import time
from typing import Any

from crm.errors import InvalidValue


def add(left: int, right: int) -> dict[str, Any]:
    return {"sum": left + right, "process": os.getpid(), "modules": sorted(__import__("sys").modules)}


def describe() -> dict[str, Any]:
    import resource

    return {
        "environment": dict(os.environ),
        "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "memory": resource.getrlimit(resource.RLIMIT_AS)[0],
        "nice": os.nice(0),
    }


def refuse() -> dict[str, Any]:
    raise InvalidValue("It is wrong.", "Do it right.")


def fill_memory() -> dict[str, Any]:
    return {"bytes": len(bytearray(8 << 30))}


def abort() -> dict[str, Any]:
    os.abort()


def kill() -> dict[str, Any]:
    os.kill(os.getpid(), 9)
    return {}


def crash() -> dict[str, Any]:
    import ctypes

    ctypes.string_at(0)
    return {}


def break_off() -> dict[str, Any]:
    raise KeyError("secret@example.com")


def panic() -> dict[str, Any]:
    raise BaseException("what a Rust library raises")


def sleep(seconds: float) -> dict[str, Any]:
    time.sleep(seconds)
    return {}


def sleep_with_a_child(seconds: float, note: str) -> dict[str, Any]:
    import subprocess
    from pathlib import Path

    child = subprocess.Popen(["sleep", str(seconds)])
    Path(note).write_text(str(child.pid))
    child.wait()
    return {}


def spin() -> dict[str, Any]:
    while True:
        pass


def convert_each(function: str, arguments: list[dict[str, Any]]) -> dict[str, Any]:
    """Call a conversion for each of many files, counting what comes of them as the sandbox would tell it."""
    import importlib

    from crm.errors import ClienteleError

    module, _, name = function.partition(":")
    convert = getattr(importlib.import_module(module), name)
    outcomes = {"read": 0, "refused": 0, "broken": []}
    for given in arguments:
        try:
            convert(**given)
            outcomes["read"] += 1
        except ClienteleError:
            outcomes["refused"] += 1
        except BaseException as failure:
            outcomes["broken"].append(type(failure).__name__)
    return outcomes
