r"""The 48 messy files, and twelve classic ones.

Every file states its own right reading: the headings, the rows cell for cell, the records that cannot be read
with the line they stand on, or the words of the refusal where refusing is right.
"""

from dataclasses import dataclass, field

Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Case:
    """One file: its bytes and how it must be read.

    `rejected` are the lines (from 1) of records that must be set aside. `refused` is a part of the words in
    which the file must be refused. `asked` says that a question about the encoding is right, too.
    """

    name: str
    content: bytes = field(repr=False)
    header: tuple[str, ...] = ()
    rows: Rows = ()
    rejected: tuple[int, ...] = ()
    refused: str = ""
    asked: bool = False


def _text(header: tuple[str, ...], rows: Rows, delimiter: str = ",", end: str = "\n") -> str:
    return "".join(delimiter.join(row) + end for row in (header, *rows))


_WEST = ("id", "name", "city"), (
    ("1", "Zoë Müller", "Köln"), ("2", "François Lefèvre", "Besançon"), ("3", "José Núñez", "Málaga"),
    ("4", "Søren Kjær", "Århus"), ("5", "Brontë", "Zürich"), ("6", "Renée Dûpré", "Orléans"),
)  # fmt: skip
_CHINESE = ("客户编号", "姓名", "城市", "金额"), (
    ("K001", "王小明", "北京市", "12.50"), ("K002", "李红", "上海市", "8.00"), ("K003", "张伟", "广州市", "103.20"),
    ("K004", "陈静", "深圳市", "77.10"),
)  # fmt: skip
_JAPANESE = ("顧客番号", "氏名", "都市"), (
    ("1", "佐藤花子", "東京都"), ("2", "鈴木一郎", "大阪市"), ("3", "高橋ユウキ", "札幌市"), ("4", "たなか まこと", "横浜市"),
)  # fmt: skip
_RUSSIAN = ("номер", "имя", "город"), (
    ("1", "Анна Иванова", "Москва"), ("2", "Пётр Смирнов", "Казань"), ("3", "Ольга Кузнецова", "Тула"),
)  # fmt: skip
_ORDERS = ("order_id", "customer", "date", "amount"), (
    ("A1", "c1", "2025-01-02", "12.50"), ("A2", "c2", "2025-01-03", "7.00"), ("A3", "c1", "2025-02-01", "-3.10"),
    ("A4", "c3", "2025-02-14", "120.00"),
)  # fmt: skip


def _plain(name: str, table: tuple[tuple[str, ...], Rows], encoding: str, mark: bytes = b"") -> Case:
    header, rows = table
    return Case(name, mark + _text(header, rows).encode(encoding), header, rows)


def _encodings() -> list[Case]:
    header, rows = _WEST
    damaged = _text(header, rows + rows).encode() + b"7,Zo\xeb,Bonn\n8,ok,Bonn\n"
    return [
        _plain("utf-8", _WEST, "utf-8"),
        _plain("utf-8 with a mark", _WEST, "utf-8", b"\xef\xbb\xbf"),
        _plain("utf-16 little end with a mark", _WEST, "utf-16-le", b"\xff\xfe"),
        _plain("utf-16 big end with a mark", _CHINESE, "utf-16-be", b"\xfe\xff"),
        _plain("utf-16 little end without a mark", _CHINESE, "utf-16-le"),
        _plain("utf-16 big end without a mark", _WEST, "utf-16-be"),
        _plain("windows-1252", _WEST, "cp1252"),
        _plain("gb18030", _CHINESE, "gb18030"),
        _plain("shift-jis", _JAPANESE, "cp932"),
        _plain("windows-1251", _RUSSIAN, "cp1251"),
        Case("damaged utf-8", damaged, header, (*rows, *rows, ("8", "ok", "Bonn")), rejected=(14,)),
    ]


def _separators() -> list[Case]:
    header, rows = _ORDERS
    commas = ("id", "betrag", "menge"), (("1", "12,50", "1"), ("2", "2,30", "4"), ("3", "1.204,00", "2"))
    fixed = "  id      date  amount\n   1  20250102   12.50\n   2  20250103    7.00\n  30  20250104  120.00\n"
    return [
        Case("semicolons", _text(header, rows, ";").encode(), header, rows),
        Case("tabs", _text(header, rows, "\t").encode(), header, rows),
        Case("vertical bars", _text(header, rows, "|").encode(), header, rows),
        Case("semicolons and decimal commas", _text(*commas, ";").encode(), *commas),
        Case(
            "blanks", fixed.encode(), ("id", "date", "amount"),
            (("1", "20250102", "12.50"), ("2", "20250103", "7.00"), ("30", "20250104", "120.00")),
        ),
        Case("declared separator", ("sep=;\r\n" + _text(*commas, ";", "\r\n")).encode(), *commas),
    ]  # fmt: skip


def _quotes() -> list[Case]:
    return [
        Case(
            "line ends in cells",
            b'id,note,x\n1,"two\nlines",a\n2,"three\n\nlines, and a comma",b\n3,plain,c\n',
            ("id", "note", "x"),
            (("1", "two\nlines", "a"), ("2", "three\n\nlines, and a comma", "b"), ("3", "plain", "c")),
        ),
        Case(
            "doubled quotation marks", b'id,note\n1,"say ""hi"", twice"\n2,"""quoted"""\n3,""\n',
            ("id", "note"), (("1", 'say "hi", twice'), ("2", '"quoted"'), ("3", "")),
        ),
        Case(
            "backslashes before quotation marks", b'id,note\n1,"say \\"hi\\", twice"\n2,"plain"\n3,"a, b"\n',
            ("id", "note"), (("1", 'say "hi", twice'), ("2", "plain"), ("3", "a, b")),
        ),
        Case(
            "quotation marks inside bare cells", b'id,size,x\n1,5" pipe,a\n2,7" pipe,b\n3,a 3" and 4" set,c\n4,none,d\n',
            ("id", "size", "x"),
            (("1", '5" pipe', "a"), ("2", '7" pipe', "b"), ("3", 'a 3" and 4" set', "c"), ("4", "none", "d")),
        ),
        Case(
            "a quotation mark that is never closed",
            b'id,note\n' + b"".join(b"%d,text %d\n" % (n, n) for n in range(1, 9)) + b'9,"open\n10,after\n11,"fine, too"\n',
            ("id", "note"),
            (*((str(n), f"text {n}") for n in range(1, 9)), ("10", "after"), ("11", "fine, too")), rejected=(10,),
        ),
    ]  # fmt: skip


def _headings() -> list[Case]:
    header, rows = _ORDERS
    body = "".join(",".join(row) + "\n" for row in rows)
    wide = (
        tuple(f"c{n}" for n in range(2000)),
        tuple(tuple(str(n * k) for n in range(2000)) for k in (1, 2, 3)),
    )
    return [
        Case("the same heading twice", b"id,name,name,ID\n1,a,b,2\n3,c,d,4\n", ("id", "name", "name (2)", "ID (2)"),
             (("1", "a", "b", "2"), ("3", "c", "d", "4"))),
        Case("an empty heading", b"id,,amount\n1,x,2.5\n2,y,3.5\n", ("id", "Column 2", "amount"),
             (("1", "x", "2.5"), ("2", "y", "3.5"))),
        Case("a line end in a heading", b'"order\nid","amount\r\nin euro"\n1,2.5\n2,3.5\n', ("order id", "amount in euro"),
             (("1", "2.5"), ("2", "3.5"))),
        Case("no header", body.encode(), ("Column 1", "Column 2", "Column 3", "Column 4"), rows),
        Case("only a header", b"id,name,amount\n", refused="a header and no rows"),
        Case("two thousand columns", _text(*wide).encode(), *wide),
        Case("titles above the header", b"Sales report\nPrinted on 2025-03-01, by Ann\n\n" + _text(header, rows).encode(),
             header, rows),
        Case("remarks above the header",
             b"# exported by the shop, 2025-03-01\n# all amounts in euro, tax included\n" + _text(header, rows).encode()
             + b"# end of the first part\nA5,c1,2025-03-01,1.00\n",
             header, (*rows, ("A5", "c1", "2025-03-01", "1.00")), rejected=(8,)),
    ]  # fmt: skip


def _shapes() -> list[Case]:
    header, rows = _ORDERS
    widening = (
        b"id,x\n"
        + b"".join(b"%d,a\n" % n for n in range(3000))
        + b"".join(b"%d,a,b\n" % n for n in range(50))
    )
    return [
        Case("rows of other widths", b"id,day,amount\n1,2025-01-01,5\n2,2025-01-01\n3,2025-01-01,5,6\n4,2025-01-02,7\n",
             ("id", "day", "amount"), (("1", "2025-01-01", "5"), ("4", "2025-01-02", "7")), rejected=(3, 4)),
        Case("a separator at each line's end", b"id,x,\n1,a,\n2,b,\n3,c,\n", ("id", "x", "Column 3"),
             (("1", "a", ""), ("2", "b", ""), ("3", "c", ""))),
        Case("lines that end in returns", _text(header, rows, ",", "\r").encode(), header, rows),
        Case("mixed line ends", b"id,x\r\n1,a\n2,b\r\n3,c\n4,d", ("id", "x"), (("1", "a"), ("2", "b"), ("3", "c"), ("4", "d"))),
        Case("one column", b"customer\nc1\nc2\nc3\n", ("customer",), (("c1",), ("c2",), ("c3",))),
        Case("three lines that widen", b"c0\nv0\na;b\n", ("c0",), (("v0",), ("a;b",))),
        Case("rows that widen late", widening, ("id", "x"), tuple((str(n), "a") for n in range(3000)),
             rejected=tuple(range(3002, 3052))),
        Case("an empty file", b"", refused="is empty"),
    ]  # fmt: skip


def _cells() -> list[Case]:
    big, bigger = "x" * 3_000_000, "y" * 5_000_000 + "\n" + "z" * 5_000_000
    keys = (
        ("00123", "+442079460000", "0049"),
        ("0007", "+4915112345", "1e5"),
        ("1234567890123456789", "+1", "0x1F"),
    )
    names = (
        ("1", "NA", "Null"),
        ("2", "None", "NaN"),
        ("3", "N/A", "NULL"),
        ("4", "nan", "True"),
        ("5", "-", ""),
    )
    mixed = (
        ("1", "2025-01-02"),
        ("2", "03/04/2025"),
        ("3", "13/02/2025"),
        ("4", "Jan 5, 2025"),
        ("5", "20250106"),
    )
    late = (*((str(n), "01/02/2025") for n in range(400)), ("400", "13/02/2025"), ("401", "2025-02-14"))
    types = (*((str(n), str(n)) for n in range(400)), ("400", "n/a"), ("401", "12,5"))
    blanks = (("1", " leading", "trailing "), ("2", "  ", "a  b"), ("3", "\u00a0x", " "))
    signs = (("1", "😀🎉", "שלום"), ("2", "👩‍👩‍👧", "مرحبا"), ("3", "e\u0301", "ﷺ"))
    return [
        Case("a NUL byte", b"id,x\n1,a\n2,b\0c\n3,d\n4,e\n", ("id", "x"), (("1", "a"), ("3", "d"), ("4", "e")), rejected=(3,)),
        Case("a cell of 3 MB", f'id,note\n1,"{big}"\n2,small\n'.encode(), ("id", "note"), (("1", big), ("2", "small"))),
        Case("a cell of 10 MB", f'id,note\n1,small\n2,"{bigger}"\n'.encode(), ("id", "note"), (("1", "small"), ("2", bigger))),
        Case("zeros and plus signs in front", _text(("id", "phone", "code"), keys).encode(), ("id", "phone", "code"), keys),
        Case("people called nothing", _text(("id", "first", "last"), names).encode(), ("id", "first", "last"), names),
        Case("dates of several kinds", b'id,day\n' + "".join(f'{a},"{b}"\n' for a, b in mixed).encode(), ("id", "day"), mixed),
        Case("a date of another kind far down", _text(("id", "day"), late).encode(), ("id", "day"), late),
        Case("a word far down among numbers", b"id,count\n" + "".join(f'{a},"{b}"\n' for a, b in types).encode(),
             ("id", "count"), types),
        Case("blanks around cells", _text(("id", "a", "b"), blanks).encode(), ("id", "a", "b"), blanks),
        Case("signs of all scripts", _text(("id", "a", "b"), signs).encode(), ("id", "a", "b"), signs),
    ]  # fmt: skip


CASES: tuple[Case, ...] = (*_encodings(), *_separators(), *_quotes(), *_headings(), *_shapes(), *_cells())
"""The 48 files."""


def _spectrum() -> tuple[Case, ...]:
    """Return our own twelve with what the classic collection of edge cases is made of, under its names."""
    abc = ("a", "b", "c")
    return (
        Case("comma_in_quotes", b'first,last,address,city,zip\nJane,Roe,7 some rd.,"Springfield, OR",00501',
             ("first", "last", "address", "city", "zip"), (("Jane", "Roe", "7 some rd.", "Springfield, OR", "00501"),)),
        Case("empty", b'a,b,c\n1,"",""\n2,3,4', abc, (("1", "", ""), ("2", "3", "4"))),
        Case("empty_crlf", b'a,b,c\r\n1,"",""\r\n2,3,4', abc, (("1", "", ""), ("2", "3", "4"))),
        Case("escaped_quotes", b'a,b\n1,"so ""he"" said"\n3,4\n', ("a", "b"), (("1", 'so "he" said'), ("3", "4"))),
        Case("json", b'key,val\n1,"{""kind"": ""Spot"", ""at"": [10.0, 0.25]}"\n', ("key", "val"),
             (("1", '{"kind": "Spot", "at": [10.0, 0.25]}'),)),
        Case("location_coordinates", "Phone,Location,City\n2095550100,37°36'37.8\"N 121°2'17.9\"W,Modesto".encode(),
             ("Phone", "Location", "City"), (("2095550100", "37°36'37.8\"N 121°2'17.9\"W", "Modesto"),)),
        Case("newlines", b'a,b,c\n1,2,3\n"Long ago \nit was",5,6\n7,8,9\n', abc,
             (("1", "2", "3"), ("Long ago \nit was", "5", "6"), ("7", "8", "9"))),
        Case("newlines_crlf", b'a,b,c\r\n1,2,3\r\n"Long ago \r\nit was",5,6\r\n7,8,9\r\n', abc,
             (("1", "2", "3"), ("Long ago \r\nit was", "5", "6"), ("7", "8", "9"))),
        Case("quotes_and_newlines", b'a,b\n1,"he \n""said"" \nso"\n3,4\n', ("a", "b"), (("1", 'he \n"said" \nso'), ("3", "4"))),
        Case("simple", b"a,b,c\n1,2,3\n", abc, (("1", "2", "3"),)),
        Case("simple_crlf", b"a,b,c\r\n1,2,3\r\n", abc, (("1", "2", "3"),)),
        Case("utf8", "a,b,c\n1,2,3\n4,5,ʤ".encode(), abc, (("1", "2", "3"), ("4", "5", "ʤ"))),
    )  # fmt: skip


SPECTRUM: tuple[Case, ...] = _spectrum()
"""Our own version of the twelve files of csv-spectrum."""
