"""Files damaged by chance, held to one promise: each is refused in words, or every line of it is accounted for.

`python -m tests.fuzz 10000 [first seed]` reads that many and prints what came of them, the slowest among it.
"""

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from crm.errors import ClienteleError
from tests.messy import CASES, SPECTRUM
from tests.messy.accounts import read_file, unaccounted

_BASES = [case.content for case in (*CASES, *SPECTRUM) if 0 < len(case.content) < 100_000]
_WORDS = [
    "", "a", "x y", "12.50", "1.234,56", "2025-01-02", "03/04/2025", "00123", "+4420", "NA", "Zoë", "Müller", "王小明",
    "北京市", "Привет", "say \"hi\"", "it's", "a,b", "a;b", "line\nend", "line\r\nend", "\\", "\\\"", "#1", "=1+1", " ",
    "'", '"', "😀", "\t", "|", "null", "1e5", "佐藤",
]  # fmt: skip
_ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "cp1252", "cp932", "cp1251", "big5",
              "utf-32", "mac_roman")  # fmt: skip


def _written(rng: random.Random, rows: int) -> bytes:
    """Return a table of chance as a sloppy program might write it."""
    delimiter = rng.choice(",;\t|,;^~: ")
    quote = rng.choice('"""\'')
    end = rng.choice(("\n", "\n", "\r\n", "\r\n", "\r"))
    escape = rng.choice((quote, quote, "\\"))
    careful = rng.random() < 0.7
    width = rng.choice((1, 2, 3, 3, 4, 5, 8, 30))
    lines: list[str] = []
    for row in range(rows):
        cells = [f"name{n}" if row == 0 else rng.choice(_WORDS) for n in range(width)]
        if rng.random() < 0.02:
            cells = cells[: rng.randrange(width + 1)] + ["extra"] * rng.randrange(3)
        out = []
        for cell in cells:
            needs = any(sign in cell for sign in (delimiter, quote, "\n", "\r"))
            if (needs and careful) or rng.random() < 0.1:
                out.append(quote + cell.replace(quote, escape + quote) + quote)
            else:
                out.append(cell)
        lines.append(delimiter.join(out))
    text = end.join(lines) + rng.choice(("", end))
    return text.encode(rng.choice(("utf-8", "utf-8", *_ENCODINGS)), errors="replace")


def _flip(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 5, 50))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)] if rng.random() < 0.7 else data[rng.randrange(len(data)) :]


def _insert(rng: random.Random, data: bytes) -> bytes:
    signs = (b'"', b'"', b'""', b"'", b",", b";", b"\t", b"\n", b"\r", b"\r\n", b"\n\n", b"\0", b"\\", b"\xff", b"\xef\xbb\xbf",
             b"\x1a", b" ", b"#", b"sep=;\n", b"\x80", b"\xe4\xbd")  # fmt: skip
    for _ in range(rng.choice((1, 1, 3, 20, 300))):
        at = rng.randrange(len(data) + 1)
        data = data[:at] + rng.choice(signs) + data[at:]
    return data


def _swap(rng: random.Random, data: bytes) -> bytes:
    old, new = rng.sample((b",", b";", b"\t", b"|", b'"', b"'", b"\n", b"\r\n", b"\r", b" "), 2)
    if rng.random() < 0.5:
        return data.replace(old, new)
    pieces = data.split(old)
    return b"".join(piece + rng.choice((old, new)) for piece in pieces)


def _lines(rng: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    for _ in range(rng.choice((1, 3, 10))):
        if not lines:
            break
        at = rng.randrange(len(lines))
        what = rng.randrange(5)
        if what == 0:
            del lines[at]
        elif what == 1:
            lines.insert(at, rng.choice((b"\n", b"\r\n", b"  \n", b",,\n", b"# remark\n", b"Total\n")))
        elif what == 2:
            lines.insert(at, lines[rng.randrange(len(lines))])
        elif what == 3:
            lines[at] = lines[at].rstrip(b"\r\n")
        else:
            lines[at] = lines[at].rstrip(b"\r\n") + rng.choice((b"\n", b"\r", b"\r\n", b",\n", b";x\n"))
    return b"".join(lines)


def _mix(rng: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    other = rng.choice(_ENCODINGS)
    share = rng.choice((0.02, 0.3, 1.0))
    return b"".join(
        line.decode(errors="replace").encode(other, errors="replace") if rng.random() < share else line
        for line in lines
    )


def _join(rng: random.Random, data: bytes) -> bytes:
    return data + rng.choice(_BASES)[:2000]


_CHANGES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _flip,
    _cut,
    _insert,
    _insert,
    _swap,
    _lines,
    _lines,
    _mix,
    _join,
)


def damaged_file(seed: int) -> bytes:
    """Return the file of a seed: one of the messy ones or one of chance, changed up to four times."""
    rng = random.Random(seed)
    if rng.random() < 0.5:
        data = rng.choice(_BASES)
    else:
        data = _written(rng, rng.choice((0, 1, 2, 5, 20, 100)) if seed % 100 else 20_000)
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        if data:
            data = rng.choice(_CHANGES)(rng, data)
    return data


def outcome_of_seed(seed: int, folder: Path) -> tuple[str, list[str], float, int]:
    """Return `read`, `asked` or the refusal, what is wrong, the seconds of computing it took, and the file's bytes."""
    path = folder / "file.csv"
    data = damaged_file(seed)
    path.write_bytes(data)
    start = time.process_time()
    try:
        outcome = read_file(path, folder / "scratch")
    except ClienteleError as refusal:
        return f"refused: {refusal.message}", [], time.process_time() - start, len(data)
    except Exception as failure:
        return "failed", [f"{type(failure).__name__}: {failure}"], time.process_time() - start, len(data)
    seconds = time.process_time() - start
    return "asked" if outcome.doubts else "read", unaccounted(outcome), seconds, len(data)


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def main(count: int, first: int = 0) -> int:
    """Read `count` files and say what came of them; return how many broke the promise."""
    results: Counter[str] = Counter()
    broken = 0
    slowest = (0.0, 0)
    longest = (0.0, 0)
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            result, wrong, seconds, size = outcome_of_seed(seed, Path(folder))
            results["".join(sign for sign in result if not sign.isdigit())[:90]] += 1
            if size > 200_000:
                slowest = max(slowest, (seconds / size * 1e6, seed))
            longest = max(longest, (seconds, seed))
            if wrong:
                broken += 1
                _say(f"{seed} {result} {wrong[:3]}")
    for result, times in results.most_common():
        _say(f"{times:7,}  {result}")
    _say(f"{broken} of {count} broke the promise; slowest {slowest[0]:.2f} s per MB (seed {slowest[1]}, of files over "
          f"200 KB), longest {longest[0]:.2f} s (seed {longest[1]})")  # fmt: skip
    return broken


if __name__ == "__main__":
    sys.exit(1 if main(*map(int, sys.argv[1:] or ["10000"])) else 0)
