r"""Finds what encoding a text file is written in, and rewrites it as UTF-8 without losing a byte unnoticed.

UTF-8 and UTF-16 show by their form. For the others the bytes are read under every encoding that is still met in
files, and the one under which they spell the likeliest words of some language wins: the likelihood of each letter in
that language, of its neighbours, of small and capital letters in a row. When a second reading is nearly as likely, it
is named, so that somebody who knows the file can choose.
"""

import codecs
import math
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from crm.errors import InvalidValue, UnreadableFile
from crm.imports import alphabets

SURE = 0.9
"""Below this confidence the other encodings that would do are named, to be chosen from."""

_WESTERN = ("German", "French", "Spanish", "Portuguese", "Italian", "Catalan", "Dutch", "Swedish", "Norwegian",
            "Danish", "Finnish", "Icelandic")  # fmt: skip
_CENTRAL = ("Polish", "Czech", "Slovak", "Hungarian", "Romanian", "Croatian", "German")
_CYRILLIC = ("Russian", "Ukrainian", "Bulgarian", "Serbian")
_BALTIC = ("Lithuanian", "Latvian", "Estonian", "Polish", "German", "Finnish")

# Python's name → name on screen, how much rarer than the common ones (in natural logarithms), languages.
_ENCODINGS: dict[str, tuple[str, float, tuple[str, ...]]] = {
    "cp1252": ("Windows-1252 (Western European)", 0.0, _WESTERN),
    "gb18030": ("GB18030 (Chinese)", -0.5, ("Simplified",)),
    "cp932": ("Shift-JIS (Japanese)", -1.0, ("Japanese",)),
    "big5": ("Big5 (Chinese)", -1.5, ("Traditional",)),
    "cp1251": ("Windows-1251 (Cyrillic)", -0.5, _CYRILLIC),
    "cp949": ("EUC-KR (Korean)", -2.0, ("Korean",)),
    "cp1250": ("Windows-1250 (Central European)", -2.0, _CENTRAL),
    "cp1254": ("Windows-1254 (Turkish)", -2.0, ("Turkish", "German")),
    "cp1253": ("Windows-1253 (Greek)", -2.0, ("Greek",)),
    "cp1257": ("Windows-1257 (Baltic)", -4.0, _BALTIC),
    "cp1255": ("Windows-1255 (Hebrew)", -3.0, ("Hebrew",)),
    "cp1256": ("Windows-1256 (Arabic)", -3.0, ("Arabic",)),
    "cp874": ("Windows-874 (Thai)", -3.0, ("Thai",)),
    "euc_jp": ("EUC-JP (Japanese)", -4.0, ("Japanese",)),
    "mac_roman": ("Mac Roman (Western European)", -4.0, _WESTERN),
    "cp850": ("Code page 850 (Western European, DOS)", -4.0, _WESTERN),
    "iso8859-15": ("ISO 8859-15 (Western European)", -4.0, _WESTERN),
    "iso8859-2": ("ISO 8859-2 (Central European)", -4.0, _CENTRAL),
    "cp852": ("Code page 852 (Central European, DOS)", -5.0, _CENTRAL),
    "koi8-u": ("KOI8 (Cyrillic)", -4.0, ("Russian", "Ukrainian")),
    "mac_cyrillic": ("Mac Cyrillic", -6.0, _CYRILLIC),
    "mac_latin2": ("Mac Central European", -6.0, _CENTRAL),
    "cp866": ("Code page 866 (Cyrillic, DOS)", -4.0, ("Russian", "Bulgarian")),
    "iso8859-5": ("ISO 8859-5 (Cyrillic)", -5.0, _CYRILLIC),
    "iso8859-7": ("ISO 8859-7 (Greek)", -5.0, ("Greek",)),
}
_BY_FORM = {
    "utf-8": "UTF-8", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16 (big-endian)", "utf-32-le": "UTF-32",
    "utf-32-be": "UTF-32 (big-endian)", "iso2022_jp": "ISO-2022-JP (Japanese)",
}  # fmt: skip
_ALIASES = {
    "gbk": "gb18030", "gb2312": "gb18030", "cp936": "gb18030", "shift_jis": "cp932", "shift_jisx0213": "cp932",
    "iso8859-1": "cp1252", "ascii": "utf-8", "utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le",
    "cp950": "big5", "big5hkscs": "big5", "euc_kr": "cp949", "koi8-r": "koi8-u", "iso8859-9": "cp1254",
}  # fmt: skip
# What decodes most of what a name is used for: both have signs that the plain codec lacks.
_CODECS = {"big5": "big5hkscs"}

ENCODINGS: tuple[str, ...] = (*_BY_FORM, *_ENCODINGS)
"""The encodings that can be chosen, by Python's names."""

_SAVE_AS = "Open the file in the program it comes from, save it as CSV with UTF-8 encoding, and import that."
_EMPTY = "The file is empty.", "Check that the export finished, and choose it again."
_BINARY = "The file is not text: it holds binary data.", _SAVE_AS

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"), (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
# Control characters, but for line ends, tabs, the escape and those that serve as separators.
_NEVER_IN_TEXT = bytes({*range(0x02, 0x09), *range(0x0E, 0x1A), 0x7F})
_LEADS = bytes(range(0xC0, 0x100))

_HEAD = 256 << 10
_CHUNK = 4 << 20
_REGION = 32 << 10  # bytes looked at around the first sign beyond ASCII of a chunk
_SAMPLE = 96 << 10
_PIECES = 800
_PIECE = 400
_ENOUGH = 4_000_000  # sound characters after which a file is UTF-8 whatever comes


@dataclass(frozen=True)
class Found:
    """The encoding of a text file: `encoding` is a Python codec name, `confidence` runs from 0 to 1.

    `alternatives` are the codecs that would read the file as well, best first: empty when `confidence` is
    0.9 or more, to be asked about otherwise. `encoding` is the best guess either way.
    """

    encoding: str
    confidence: float = 1.0
    alternatives: tuple[str, ...] = ()


def encoding_name(encoding: str) -> str:
    """Return how an encoding is called on screen, e.g. `Windows-1252 (Western European)` for `cp1252`."""
    if encoding in _ENCODINGS:
        return _ENCODINGS[encoding][0]
    return _BY_FORM.get(encoding, encoding.upper())


def known_encoding(name: str) -> str:
    """Return Python's name of an encoding that was given in any spelling, one of ENCODINGS.

    Raises InvalidValue for anything else.
    """
    try:
        found = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        found = ""
    found = _ALIASES.get(found) or {codecs.lookup(one).name: one for one in ENCODINGS}.get(found, "")
    if not found:
        raise InvalidValue(
            f"“{name[:40]}” is not the name of an encoding that can be read.",
            f"Choose one of {', '.join(ENCODINGS)}.",
        )
    return found


def is_other_encoding(*, sound: int, damaged: int) -> bool:
    """Return whether a text with so many sound and damaged characters beyond ASCII is not UTF-8 at all."""
    return damaged * 10 > sound


def find_encoding(path: Path) -> Found:
    """Return the encoding of the text file at `path`; `utf-8` also for one with single damaged bytes.

    The file is read as a stream. Raises UnreadableFile when it is empty or holds binary data.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if not head:
            raise UnreadableFile(*_EMPTY)
        if (form := _by_form(head)) is not None:
            return form
        file.seek(0)
        census = _Census()
        while not census.settled and (chunk := file.read(_CHUNK)):
            census.add(chunk)
        census.finish()
    return census.verdict()


def find_encoding_of(data: bytes) -> Found:
    """Return the encoding of a text that is at hand, a file's head for instance; see `find_encoding`."""
    if not data:
        raise UnreadableFile(*_EMPTY)
    if (form := _by_form(data[:_HEAD])) is not None:
        return form
    census = _Census()
    census.add(data)
    census.finish(cut=True)
    return census.verdict()


def is_utf8(data: bytes) -> bool:
    """Return whether a text, maybe cut off at its end, is UTF-8, single damaged bytes allowed.

    Raises UnreadableFile for binary data.
    """
    if _by_form(data[:_HEAD]) is not None:
        return False
    census = _Census()
    census.add(data)
    return not is_other_encoding(sound=census.sound, damaged=census.damaged)


def to_utf8(path: Path, encoding: str, target: Path) -> int:
    """Write the text of `path`, which is in `encoding`, to `target` as UTF-8; return the bytes that are no text.

    Line ends stay as they are, a byte order mark is left out. Each place that cannot be decoded becomes a
    byte FF, which is never UTF-8, so that the careful reader rejects its line and no other. Raises
    InvalidValue for an unknown encoding, and UnreadableFile when so much cannot be decoded that the file is
    written in another one; `target` is removed then.
    """
    encoding = known_encoding(encoding)
    decoder = codecs.getincrementaldecoder(_CODECS.get(encoding, encoding))(_ONE_BY_ONE)
    damaged = foreign = 0
    wide = encoding.startswith(("utf-16", "utf-32"))
    first = True
    with path.open("rb") as source, target.open("wb") as sink:
        while True:
            chunk = source.read(_CHUNK)
            text = decoder.decode(chunk, final=not chunk)
            if first and text:
                text, first = text.removeprefix("\ufeff"), False
            if wide:
                foreign += len(text)  # every character tells whether the encoding is the right one
            if text.isascii():
                sink.write(text.encode())
            else:
                written = text.encode("utf-8", "surrogateescape")
                if not wide:
                    foreign += len(written) - len(written.translate(None, _LEADS))
                damaged += written.count(b"\xff")
                sink.write(written)
            if not chunk:
                break
    if is_other_encoding(sound=foreign - damaged, damaged=damaged):
        target.unlink()
        raise UnreadableFile(
            f"The file is not written in {encoding_name(encoding)}: {damaged:,} of its characters cannot be read so.",
            "Choose another encoding, or save the file as CSV with UTF-8 encoding.",
        )
    return damaged


_ONE_BY_ONE = "crm.imports.one_by_one"


def _mark_damaged(error: UnicodeError) -> tuple[str, int]:
    """Stand in one undecodable byte for what cannot be read, and go on at the next byte or code unit."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    # A unit of UTF-16 is kept together; elsewhere the bytes after the first may be sound, a line end even.
    wide = error.encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32"))
    return "\udcff", error.end if wide else error.start + 1


codecs.register_error(_ONE_BY_ONE, _mark_damaged)


# --- by form ---------------------------------------------------------------------------------------------


def _by_form(head: bytes) -> Found | None:
    """Return the encoding that a byte order mark or the place of NUL bytes tells. Raises for binary data."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Found(name)
    if head.count(b"\0") * 50 > len(head) and (wide := _wide_encoding(head)) is not None:
        return Found(wide)
    if head.count(b"\0") * 10 > len(head):
        raise UnreadableFile(*_BINARY)
    if (len(head) - len(head.translate(None, _NEVER_IN_TEXT))) * 50 > len(head):
        raise UnreadableFile(*_BINARY)
    if head.isascii() and re.search(rb"\x1b\$[@B]", head) and b"\x1b(" in head:
        return Found("iso2022_jp")
    return None


def _wide_encoding(head: bytes) -> str | None:
    """Return which of the encodings with two or four bytes a character reads `head` as a text with lines."""
    best, most = None, 0
    for encoding, width in (("utf-32-le", 4), ("utf-32-be", 4), ("utf-16-le", 2), ("utf-16-be", 2)):
        text = head[: len(head) // width * width].decode(encoding, errors="replace")
        # Only the right order of bytes gives line ends and separators; the wrong one, rare signs.
        signs = sum(text.count(sign) for sign in "\n\r,;\t| ")
        odd = sum(1 for sign in text[:4000] if sign in "\0\ufffd" or "\ue000" <= sign <= "\uf8ff")
        if signs > most and odd * 50 <= min(len(text), 4000):
            best, most = encoding, signs
    return best


# --- by what the bytes spell -----------------------------------------------------------------------------


class _Census:
    """Counts UTF-8 characters and damage of a file as it goes by, and keeps words that hold other bytes."""

    def __init__(self) -> None:
        self.sound = self.damaged = 0
        self.settled = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._pieces: Counter[bytes] = Counter()
        self._sampled = 0
        self._begun = False

    def add(self, chunk: bytes) -> None:
        """Take the next chunk of the file."""
        if chunk.isascii():
            # A character cut by the chunk's end can only be damaged then.
            self.damaged += len(self._decoder.getstate()[0])
            self._decoder.reset()
        else:
            self._count(self._decoder.decode(chunk))
            if self._sampled < _SAMPLE:
                self._keep(chunk)
        self._begun = True
        other = is_other_encoding(sound=self.sound, damaged=self.damaged)
        self.settled = (other and self._sampled >= _SAMPLE) or (self.sound > _ENOUGH and not other)

    def finish(self, *, cut: bool = False) -> None:
        """Close the count; of a text that is `cut` off the last character may be half."""
        if not cut and not self.settled:
            self._count(self._decoder.decode(b"", final=True))

    def _count(self, text: str) -> None:
        try:
            size = len(text.encode())
            damaged = 0
        except UnicodeEncodeError:
            damaged = len(re.findall("[\udc80-\udcff]", text))
            size = len(text.encode("utf-8", "surrogateescape"))
        if size > len(text):
            foreign = sum(1 for sign in text if sign > "\x7f") if size < 1 << 16 else _foreign(text)
            self.sound += foreign - damaged
        self.damaged += damaged

    def _keep(self, chunk: bytes) -> None:
        for _ in range(8):
            found = re.search(rb"[\x80-\xff]", chunk)
            if found is None or self._sampled >= _SAMPLE:
                return
            start = max(0, found.start() - _PIECE)
            region = chunk[start : found.start() + _REGION]
            whole = start == 0 and not self._begun
            # All of these are below the trail bytes of the encodings with several bytes a sign.
            pieces = re.split(rb"[\x00-\x2f;]+", region)
            # Elsewhere the region may begin in the middle of a character.
            pieces = pieces if whole or len(pieces) < 3 else pieces[1:]
            for piece in pieces:
                if not piece.isascii():
                    self._pieces[piece[:_PIECE]] += 1
                    self._sampled += len(piece)
            chunk = chunk[max(found.start() + _REGION, len(chunk) // 8) :]

    def verdict(self) -> Found:
        """Return the encoding in which what was counted and kept makes sense."""
        if self.sound + self.damaged == 0:
            return Found("utf-8")
        other = is_other_encoding(sound=self.sound, damaged=self.damaged)
        # A handful of bytes may be sound UTF-8 by accident, e.g. a few Chinese characters.
        if not other and self.sound >= 40:
            return Found("utf-8")
        return _weigh(self._pieces, utf8=not other)


def _foreign(text: str) -> int:
    data = text.encode("utf-8", "surrogateescape")
    strays = len(re.findall("[\udc80-\udcbf]", text))
    return len(data) - len(data.translate(None, _LEADS)) + strays


@dataclass(frozen=True)
class _Reading:
    encoding: str
    words: tuple[str, ...]
    weight: float  # natural logarithm of how likely the words are
    per_sign: float


def _weigh(pieces: Counter[bytes], *, utf8: bool) -> Found:
    """Return under which encoding the pieces are the likeliest words; `utf8` says that UTF-8 is a candidate."""
    common = pieces.most_common(_PIECES)
    candidates = [*_ENCODINGS, "utf-8"] if utf8 else list(_ENCODINGS)
    # A few words rule most encodings out, all of them are weighed for the rest.
    for limit in (_FEW_PIECES, _PIECES):
        readings = [_judge(encoding, common[:limit]) for encoding in candidates]
        readings.sort(key=lambda reading: -reading.weight)
        candidates = [one.encoding for one in readings if one.weight > readings[0].weight - _HOPELESS]
        if len(common) <= limit or len(candidates) == 1:
            break
    kept: list[_Reading] = []
    for reading in readings:
        # Encodings that read the same words are no choice: the most common of them stands for all.
        twins = [one for one in readings if one.words == reading.words]
        if twins[0] is reading:
            common_one = max(twins, key=lambda one: _rank(one.encoding))
            kept.append(replace(reading, encoding=common_one.encoding))
    best = kept[0]
    odds = [math.exp(max(-50.0, (reading.weight - best.weight) / _CAUTION)) for reading in kept]
    confidence = 1.0 / sum(odds)
    # Whole words that are UTF-8 among others that are not: the file is of two encodings.
    mixed = not utf8 and _share_of_utf8(pieces) > (_MIXED_WIDE if best.encoding in _WIDE else _MIXED)
    if mixed or (best.per_sign < _UNLIKELY and best.encoding != "utf-8"):
        confidence = min(confidence, 0.5)
    alternatives: tuple[str, ...] = ()
    if confidence < SURE:
        alternatives = tuple(
            reading.encoding
            for reading, odd in zip(kept[1:], odds[1:], strict=True)
            if odd > 0.01 or reading is kept[1]
        )[:4]
    if not alternatives and confidence < SURE:
        alternatives = tuple(name for name in _ENCODINGS if name != best.encoding)[:4]
    return Found(best.encoding, round(confidence, 4), alternatives)


_CAUTION = 2.2  # the letters of a text tell less than they would if they came independently
_UNLIKELY = -11.5  # below that no encoding we know makes sense of the words
_MIXED, _MIXED_WIDE = 0.01, 0.1  # share of words; short Chinese ones are UTF-8 by accident at times
_FEW_PIECES = 120
_HOPELESS = 120.0


def _rank(encoding: str) -> float:
    """Return how common an encoding is, as the natural logarithm of a share."""
    return _ENCODINGS[encoding][1] if encoding in _ENCODINGS else _PRIOR_UTF8


def _share_of_utf8(pieces: Counter[bytes]) -> float:
    sound = 0
    for piece, count in pieces.items():
        try:
            piece.decode()
        except UnicodeDecodeError:
            continue
        sound += count
    return sound / max(pieces.total(), 1)


_PRIOR_UTF8 = 25.0  # text that is sound UTF-8 by accident is as rare as that
_ASCII = -3.5
_DAMAGED = -16.0
_RARE_LETTER = -9.5
_RARE_SIGN = -12.0
_NEVER = -16.0
_TYPOGRAPHY = dict.fromkeys("–—’‘“”„…€£°®™«»§·\u00a0º²½№", -6.5)
_OF_OTHERS = -2.3  # a letter of another alphabet's language beside, e.g. a Spanish name in a German file


def _judge(encoding: str, pieces: list[tuple[bytes, int]]) -> _Reading:
    """Return how likely the pieces are as words, each in the language that suits it best and suits the others."""
    counts = [1.0 + math.log(count) for _, count in pieces]
    decode = codecs.getdecoder(_CODECS.get(encoding, encoding))
    words = tuple(decode(piece, _ONE_BY_ONE)[0] for piece, _ in pieces)
    languages = _ENCODINGS[encoding][2] if encoding in _ENCODINGS else (*alphabets.LETTERS, *_SIGNS)
    models = [_model(language) for language in languages]
    rows: list[list[float]] = []
    signs = plain = 0.0
    for word, count in zip(words, counts, strict=True):
        foreign = sum(1 for sign in word if sign > "\x7f")
        signs += count * foreign
        plain += count * (len(word) - foreign)
        rows.append([_likelihood(word, model) for model in models])
    shares = [1.0 / len(models)] * len(models)
    total = 0.0
    for _ in range(3):
        total = 0.0
        taken = [0.5] * len(models)
        for row, count in zip(rows, counts, strict=True):
            best = max(row)
            parts = [share * math.exp(value - best) for share, value in zip(shares, row, strict=True)]
            whole = sum(parts)
            total += count * (best + math.log(whole))
            for index, part in enumerate(parts):
                taken[index] += count * part / whole
        shares = [one / sum(taken) for one in taken]
    context = sum(_context(word, encoding) * count for word, count in zip(words, counts, strict=True))
    total += context
    return _Reading(encoding, words, total + _rank(encoding), (total - plain * _ASCII) / max(signs, 1.0))


def _likelihood(word: str, model: dict[str, float]) -> float:
    ascii_, get = _ASCII, model.get
    return sum(ascii_ if sign < "\x80" else get(sign) or _unlisted(sign, model) for sign in word)


def _unlisted(sign: str, model: dict[str, float]) -> float:
    if sign == "\udcff":
        return _DAMAGED
    if sign == "\ufffd" and "" not in model:
        return -8.0  # what an earlier program put for what it could not read
    if sign in _TYPOGRAPHY:
        return _TYPOGRAPHY[sign]
    if sign < "\xa0" or "\ue000" <= sign <= "\uf8ff":
        return _NEVER
    han = "\u4e00" <= sign <= "\u9fff"
    if (han or "\uac00" <= sign <= "\ud7a3") and "" in model:
        return _sign_beyond(sign, model)
    if "\u3000" <= sign <= "\u30ff" or "\uff01" <= sign <= "\uff5e":
        return -9.5 if "" in model else _NEVER
    if "\uff66" <= sign <= "\uff9f":
        return model.get("half", -14.0)
    return _RARE_LETTER if sign.isalpha() and "" not in model and not han else _RARE_SIGN


def _sign_beyond(sign: str, model: dict[str, float]) -> float:
    """Return how likely a Chinese character or Korean syllable is that is not among the listed ones."""
    codec, last = _FREQUENT[int(model[""])]
    try:
        code = sign.encode(codec)
    except UnicodeEncodeError:
        return -15.0
    return -10.0 if len(code) == 2 and code[0] <= last else -13.0


# Standard character sets list the frequent characters first: the codec, and the last first byte of those.
_FREQUENT = {1: ("gb2312", 0xD7), 2: ("big5", 0xC6), 3: ("euc_jp", 0xCF), 4: ("euc_kr", 0xC8)}
_SIGNS = {
    "Simplified": (1, alphabets.SIMPLIFIED), "Traditional": (2, alphabets.TRADITIONAL),
    "Japanese": (3, alphabets.JAPANESE), "Korean": (4, alphabets.KOREAN),
}  # fmt: skip


@cache
def _model(language: str) -> dict[str, float]:
    """Return how likely each sign beyond ASCII is in a language, as natural logarithms."""
    if language in _SIGNS:
        number, signs = _SIGNS[language]
        shares = [1.0 / (rank + 30) for rank in range(len(signs))]
        whole = sum(shares) / 0.9
        found = {sign: math.log(share / whole) for sign, share in zip(signs, shares, strict=True)}
        found[""] = float(number)
        if language == "Japanese":
            found["half"] = -5.0
        return found
    found = {}
    for letter, share in re.findall(r"(\D)(\d+)", alphabets.LETTERS[language]):
        value = math.log(int(share) / 1000)
        found[letter] = value
        if letter.upper() != letter and len(letter.upper()) == 1:
            found[letter.upper()] = value - 1.0
    return found


_BEFORE_WORDS = frozenset("“„‘«»§¿¡€£№©")


def _is_letter(sign: str) -> bool:
    """Return whether a sign is a letter or a mark that stands above or below one, as in Thai."""
    return sign.isalpha() or (sign > "\x7f" and unicodedata.category(sign) == "Mn")


def _context(word: str, encoding: str) -> float:
    """Return how likely the neighbours of the signs of a word are."""
    mixes = encoding == "utf-8" or "German" in _ENCODINGS[encoding][2]
    wide = encoding in _WIDE
    total = 0.0
    before = ""
    for index, sign in enumerate(word):
        foreign = sign > "\x7f"
        if foreign or before > "\x7f":
            if _is_letter(sign) and _is_letter(before):
                if foreign != (before > "\x7f"):
                    total += -0.3 if mixes else -3.5 if wide else -6.0
                else:
                    total += -2.0 if mixes else -0.2
                if not wide and before.islower() and sign.isupper():
                    total -= 4.0
                elif (
                    not wide
                    and before.isupper()
                    and sign.islower()
                    and index > 1
                    and word[index - 2].isupper()
                ):
                    total -= 2.0
            elif foreign:
                total -= 1.2
                # A sign that is no letter, in the middle of a word or right before one.
                if not wide and not _is_letter(sign) and sign not in _BEFORE_WORDS:
                    total -= 2.0 if word[index + 1 : index + 2].isalpha() and sign not in "’·" else 0.5
                    total -= (
                        2.0 if word[index + 1 : index + 2].isalpha() and sign == "’" and not before else 0.0
                    )
            else:
                total -= 0.5
        before = sign
    return total


_WIDE = frozenset({"gb18030", "cp932", "big5", "cp949", "euc_jp"})
