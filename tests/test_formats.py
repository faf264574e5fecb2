"""Any file becomes text or a table, or is refused in words; the process that asked goes on either way."""

import gzip
import os
import random
import struct
import zipfile

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm.errors import ClienteleError, InvalidValue, UnreadableFile
from crm.imports import formats, sandbox
from crm.imports.formats import Reading
from tests.workbook_files import repacked, with_sheet, xls, xlsx

CSV = "id,name\n1,Ada\n2,Bo\n"
TABLE = [["Id", "Name"], ["1", "Ada"], ["2", "Bo"]]


def opened(path, *, name=None, reading=formats.AS_FOUND):
    return formats.open_file(path, name=name or path.name, scratch=path.parent / "scratch", reading=reading)


def refusal(path, **options):
    """Return the words with which a file is refused, once it is sure that nothing is left of it."""
    with pytest.raises(UnreadableFile) as found:
        opened(path, **options)
    scratch = path.parent / "scratch"
    assert not scratch.exists() or not list(scratch.iterdir())
    return str(found.value)


def rows_of(found):
    assert found.form == "table"
    table = pa.ipc.open_stream(found.path).read_all()
    assert found.rows_counted == table.num_rows
    return [list(row.values())[:-2] for row in table.to_pylist()]


def written(path, data):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def zipped(path, *entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


# --- text -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.csv", "a.TSV", "a.txt", "a.dat", "a", "a.2025-03", "a.tab"])
def test_text_is_left_where_it_is(tmp_path, name):
    path = written(tmp_path / name, CSV)

    found = opened(path)

    assert (found.form, found.path, found.encoding, found.sentences) == ("text", path, "utf-8", ())
    assert not (tmp_path / "scratch").exists()


def test_text_in_another_encoding_is_rewritten_as_utf8(tmp_path):
    path = written(
        tmp_path / "a.csv", "客户编号,姓名,城市\n1,王小明,北京\n2,李丽,上海\n3,张伟,广州\n".encode("gb18030")
    )

    found = opened(path)

    assert found.encoding == "gb18030"
    assert found.path.read_text().startswith("客户编号,姓名")
    assert found.path.parent == tmp_path / "scratch"
    assert found.sentences == ()  # how a text was read is for its dialect to say


def test_the_encoding_chosen_counts(tmp_path):
    path = written(tmp_path / "a.csv", "id,name\n1,M\xfcller\n".encode("latin-1"))

    found = opened(path, reading=Reading(encoding="cp1251"))

    assert "Mьller" in found.path.read_text()
    assert found.doubts == ()


# --- archives ---------------------------------------------------------------------------------------------


def test_a_gzip_is_unpacked(tmp_path):
    path = written(
        tmp_path / "orders.csv.gz", gzip.compress(CSV[:8].encode()) + gzip.compress(CSV[8:].encode())
    )

    found = opened(path)

    assert found.path.read_text() == CSV
    assert found.sentences == ("The file was unpacked (gzip).",)
    assert list((tmp_path / "scratch").iterdir()) == [found.path]


def test_the_only_file_of_a_zip_is_read(tmp_path):
    path = zipped(
        tmp_path / "orders.zip", ("export/", ""), ("export/orders.csv", CSV), ("__MACOSX/._orders.csv", b"\0"),
        ("export/.DS_Store", b"\0"),
    )  # fmt: skip

    found = opened(path)

    assert found.path.read_text() == CSV
    assert found.sentences == ("The only file in the archive, orders.csv, was read.",)


def test_a_workbook_in_an_archive_is_read_as_one(tmp_path):
    book = xlsx(tmp_path / "a.xlsx", ("Data", TABLE)).read_bytes()

    in_zip = opened(zipped(tmp_path / "b.zip", ("a.xlsx", book)))
    in_gzip = opened(written(tmp_path / "a.xlsx.gz", gzip.compress(book, mtime=0)))

    assert rows_of(in_zip) == rows_of(in_gzip) == TABLE[1:]
    assert in_zip.sentences[1:] == in_gzip.sentences[1:]
    assert len(list((tmp_path / "scratch").iterdir())) == 2


def test_the_chinese_name_of_an_entry_is_shown_as_it_was(tmp_path):
    path = zipped(tmp_path / "a.zip", ("XXXX.csv", CSV))
    path.write_bytes(path.read_bytes().replace(b"XXXX", "客户".encode("gb18030")))

    assert "客户.csv" in opened(path).sentences[0]


def test_names_inside_an_archive_are_never_paths(tmp_path):
    path = zipped(tmp_path / "a.zip", ("../../evil.csv", CSV))

    found = opened(path)

    assert found.path.parent == tmp_path / "scratch"
    assert not list(tmp_path.parent.glob("evil.csv"))
    assert found.sentences == ("The only file in the archive, evil.csv, was read.",)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([("a.csv", CSV), ("b.csv", CSV)], "holds 2 files: a.csv, b.csv"),
        ([("folder/", "")], "holds no file"),
        ([("a.csv.gz", gzip.compress(CSV.encode(), mtime=0))], "another archive"),
        ([("a.pdf", b"%PDF-1.7")], "a PDF document"),
        ([("a.xlsx", CSV)], "ends in .xlsx"),
    ],
)
def test_other_archives_are_refused(tmp_path, entries, words):
    path = zipped(tmp_path / "a.zip", *entries)

    with pytest.raises(UnreadableFile, match=words):
        opened(path)


def test_a_zip_in_a_zip_is_refused(tmp_path):
    inner = zipped(tmp_path / "inner.zip", ("a.csv", CSV)).read_bytes()

    assert "another archive" in refusal(zipped(tmp_path / "a.zip", ("inner.zip", inner)))


def test_an_encrypted_zip_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", ("a.csv", CSV))
    data = bytearray(path.read_bytes())
    data[6] |= 1  # in the entry's own header
    data[data.index(b"PK\x01\x02") + 8] |= 1  # in the table of contents
    path.write_bytes(data)

    assert "protected with a password" in refusal(path)


@pytest.mark.parametrize("cut", [1, 10, 20, -30])
def test_a_cut_off_gzip_is_refused(tmp_path, cut):
    data = gzip.compress(random.Random(1).randbytes(200).hex().encode())

    with pytest.raises(ClienteleError):
        opened(written(tmp_path / "a.csv.gz", data[:cut]))


# --- workbooks and Parquet --------------------------------------------------------------------------------


def test_workbooks_and_parquet_become_tables_of_text(tmp_path):
    new = xlsx(tmp_path / "a.xlsx", ("Cover", []), ("Data", TABLE))
    old = xls(tmp_path / "a.xls", {1: TABLE[0], 2: TABLE[1], 3: TABLE[2]})
    pq.write_table(pa.table({"Id": ["1", "2"], "Name": ["Ada", "Bo"]}), tmp_path / "a.parquet")

    for path in (new, old, tmp_path / "a.parquet"):
        found = opened(path)
        assert rows_of(found) == TABLE[1:]
        assert found.encoding == ""
        assert list((tmp_path / "scratch").glob("*")) == [found.path]
        found.path.unlink()
    assert opened(new).sheets == ("Cover", "Data")


def test_what_was_chosen_reaches_the_workbook(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", ("One", TABLE), ("Two", [["x"], *TABLE]))

    found = opened(path, reading=Reading(sheet="Two", skip_lines=1, header_rows=0))

    assert rows_of(found) == TABLE
    with pytest.raises(InvalidValue, match="no sheet “Three”"):
        opened(path, reading=Reading(sheet="Three"))


# --- what a file says it is -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.csv", b"%PDF-1.7", "a PDF document"), ("a", b"7z\xbc\xaf\x27\x1c\0", "archive of a kind"),
        ("a.csv", b"Rar!\x1a\x07\x01\0", "archive of a kind"), ("a.csv", b"\x89PNG\r\n\x1a\n", "a picture"),
        ("a.csv", b"\xff\xd8\xff\xe0\0\x10JFIF", "a picture"), ("a.db", b"SQLite format 3\0", "an SQLite database"),
        ("a.csv", b'[{"id": 1}]', "a JSON file"), ("a.json", b'{"id": 1}\n{"id": 2}', "a JSON file"),
        ("a.csv", b"<!DOCTYPE html><html>", "a web page"), ("a.xls", b"<html><table><tr>", "a web page"),
        ("a.xls", b'<?xml version="1.0"?><Workbook>', "an XML file"), ("a.csv", b"ARROW1\0\0", "Arrow"),
        ("a.exe", b"MZ\x90\0\3\0", "a program"), ("a.csv", b"", "empty"), ("a.csv", b"\0\1\2\3" * 100, "binary|not text"),
        ("a.xlsx", CSV.encode(), "ends in .xlsx, as that of an Excel workbook does, but it is a text file"),
        ("a.csv.gz", CSV.encode(), "ends in .gz, .* but it is a text file"),
        ("a.parquet", CSV.encode(), "ends in .parquet, .* but it is a text file"),
        ("a.png", CSV.encode(), "ends in .png, .* but it is a text file"),
        ("a.csv", gzip.compress(CSV.encode(), mtime=0), "ends in .csv, .* but it is a file compressed with gzip"),
        ("a.parquet", b"PAR1\0\0\0\0\0", "damaged"),
    ],
)  # fmt: skip
def test_everything_else_is_refused_in_words(tmp_path, name, data, words):
    with pytest.raises(UnreadableFile, match=words):
        opened(written(tmp_path / name, data))


@pytest.mark.parametrize(
    "text", ["ID3,name\n1,2\n", "ORCID,name\n1,2\n", "PAR1,PAR2\n1,2\n", "BZh,name\n1,2\n"]
)
def test_a_header_that_begins_like_another_form_is_text(tmp_path, text):
    assert opened(written(tmp_path / "a.csv", text)).form == "text"


def test_a_workbook_by_another_name_is_refused(tmp_path):
    book = xlsx(tmp_path / "a.xlsx", ("Data", TABLE))

    assert "ends in .csv" in refusal(book, name="a.csv")
    assert "ends in .xls," in refusal(book, name="a.xls")
    assert rows_of(opened(book, name="no ending")) == TABLE[1:]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["[Content_Types].xml", "xl/workbook.bin"], "binary Excel workbook"),
        (["[Content_Types].xml", "word/document.xml"], "a document"),
        (["mimetype", "content.xml"], "OpenDocument"),
    ],
)
def test_other_office_files_are_named(tmp_path, names, words):
    path = zipped(tmp_path / "a.xlsx", *((name, "x") for name in names))

    assert words in refusal(path)


def test_old_office_files_are_told_apart(tmp_path):
    book = xls(tmp_path / "a.xls", {1: ["Id"], 2: ["1"]})
    letter = xls(tmp_path / "b.doc", {1: ["Id"], 2: ["1"]}, stream_name="WordDocument")
    locked = xls(tmp_path / "c.xlsx", {1: ["Id"], 2: ["1"]}, stream_name="EncryptedPackage")

    assert "ends in .xlsx" in refusal(book, name="a.xlsx")
    assert "a document" in refusal(letter)
    assert "protected with a password" in refusal(locked)


def test_files_beyond_the_size_are_refused_before_they_are_read(tmp_path, monkeypatch):
    assert formats.MAX_SIZE["text"] > 446 << 20
    monkeypatch.setitem(formats.MAX_SIZE, "text", 10)
    monkeypatch.setitem(formats.MAX_SIZE, "xlsx", 10)

    assert "may have up to" in refusal(written(tmp_path / "a.csv", CSV))
    assert "may have up to" in refusal(xlsx(tmp_path / "a.xlsx", ("Data", TABLE)))


# --- hostile files ----------------------------------------------------------------------------------------


def far_cells(folder):
    """A1 and XFD1048576: 550 GB for the reader that trusts it."""
    good = xlsx(folder / "good.xlsx", ("Data", TABLE))
    cells = b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    return with_sheet(good, folder / "far.xlsx", cells), "spread over 16,384 columns"


def far_area(folder):
    good = xlsx(folder / "good.xlsx", ("Data", TABLE))
    cells = b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="ALL1048576"><v>1</v></c></row>'
    return with_sheet(good, folder / "area.xlsx", cells), "more than the 50,000,000 cells"


def beyond_the_last_row(folder):
    good = xlsx(folder / "good.xlsx", ("Data", TABLE))
    cells = (
        b'<row r="1"><c r="A1"><v>1</v></c></row><row r="4000000000"><c r="A4000000000"><v>1</v></c></row>'
    )
    return with_sheet(good, folder / "beyond.xlsx", cells), "a cell in row 4,000,000,000"


def hidden_far_cells(folder):
    """The same in a way that the scan reads as two cells near each other: the limit on memory remains."""
    good = xlsx(folder / "good.xlsx", ("Data", TABLE))
    cells = b"".join(
        b'<row r="%d"><c r="A%d"><v>1</v></c><c r="ALL%d"><v>1</v></c></row>' % (r, r, r)
        for r in range(1, 40_000)
    )
    return with_sheet(good, folder / "dense.xlsx", cells), "more memory|times its size"


def zip_bomb_workbook(folder):
    good = xlsx(folder / "good.xlsx", ("Data", TABLE))
    return with_sheet(good, folder / "bomb.xlsx", b" " * (60 << 20)), "more than 100 times its size"


def bomb_beside_the_sheets(folder):
    good = xlsx(folder / "good.xlsx", ("Data", TABLE))
    path = folder / "media.xlsx"
    path.write_bytes(good.read_bytes())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/image1.png", bytes(60 << 20))
    return path, "more than 100 times its size"


def many_parts(folder):
    good = xlsx(folder / "good.xlsx", ("Data", TABLE))
    path = folder / "parts.xlsx"
    path.write_bytes(good.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(1001):
            archive.writestr(f"xl/{number}", "")
    return path, "up to 1,000 are read"


def billion_laughs(folder):
    good = xlsx(folder / "good.xlsx", ("Data", TABLE))
    entities = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    return repacked(
        good,
        folder / "laughs.xlsx",
        lambda name, data: data.replace(b"<sst ", entities + b"<sst ") if "sharedStrings" in name else data,
    ), "markup of its own"


def laughs_in_utf16(folder):
    good = xlsx(folder / "good.xlsx", ("Data", TABLE))
    part = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x [<!ENTITY a "ha">]><sst>&a;</sst>'.encode(
        "utf-16"
    )
    return repacked(
        good, folder / "wide.xlsx", lambda name, data: part if "sharedStrings" in name else data
    ), "markup of its own"


def one_part_twice(folder):
    good = xlsx(folder / "good.xlsx", ("Data", TABLE))
    path = folder / "twice.xlsx"
    path.write_bytes(good.read_bytes())
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("xl/worksheets/sheet1.xml", "<worksheet/>")
    return path, "one of its parts twice"


def forged_sizes(folder):
    """A part that says it holds a kilobyte and holds 60 MB: only what comes out is believed."""
    path, _ = zip_bomb_workbook(folder)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    while at >= 0:
        name_length = struct.unpack_from("<H", data, at + 28)[0]
        if data[at + 46 : at + 46 + name_length].endswith(b"sheet1.xml"):
            struct.pack_into("<I", data, at + 24, 1000)
        at = data.find(b"PK\x01\x02", at + 46)
    return written(folder / "forged.xlsx", bytes(data)), "more than 100 times its size"


def forged_length_of_contents(folder):
    data = bytearray(xlsx(folder / "good.xlsx", ("Data", TABLE)).read_bytes())
    struct.pack_into("<I", data, data.rindex(b"PK\x05\x06") + 12, 0x7FFFFFFF)
    return written(folder / "contents.xlsx", bytes(data)), "more than the 1,000 entries"


def endless_strings(folder):
    """One long text, shown by a million cells."""
    good = xlsx(folder / "good.xlsx", ("Data", TABLE))
    rows = b"".join(
        b'<row r="%d"><c r="A%d" t="s"><v>0</v></c><c r="B%d" t="s"><v>0</v></c></row>' % (r, r, r)
        for r in range(1, 90_001)
    )
    long = b"<sst><si><t>" + random.Random(1).randbytes(16_000).hex().encode() + b"</t></si></sst>"
    first = with_sheet(good, folder / "first.xlsx", rows)
    return repacked(
        first, folder / "strings.xlsx", lambda name, data: long if "sharedStrings" in name else data
    ), "more memory"


def gzip_bomb(folder):
    path = folder / "bomb.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(60):
            file.write(b"0" * (1 << 20))
    return path, "more than 100 times its size"


def zip_bomb(folder):
    path = folder / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("a.csv", b"0" * (60 << 20))
    return path, "more than 100 times its size"


def forged_zip(folder):
    path, _ = zip_bomb(folder)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 100)
    return written(folder / "forged.zip", bytes(data)), "more than 100 times its size"


def many_entries(folder):
    return zipped(folder / "many.zip", *((f"{number}.csv", "") for number in range(1001))), "1,001 entries"


def endless_contents(folder):
    path = folder / "contents.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(30_000):
            archive.writestr(f"{number}", "")
    return path, "more than the 1,000 entries"


def constant_rows(folder, rows, text):
    """A Parquet file of one text repeated: a few bytes for a million rows."""
    million = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int32()), pa.array([text]))
    table = pa.table({"text": million})
    path = folder / f"rows-{rows}.parquet"
    with pq.ParquetWriter(path, table.schema) as writer:
        for _ in range(rows // 1_000_000):
            writer.write_table(table)
    return path


def parquet_rows(folder):
    return constant_rows(folder, 200_000_000, "y" * 1024), "200,000,000 rows; up to 20,000,000 are read"


def parquet_bytes(folder):
    return constant_rows(folder, 20_000_000, "y" * 1024), "more than 4,096 MB of text"


def parquet_long_texts(folder):
    return constant_rows(folder, 1_000_000, "y" * 1_000_000), "more memory"


def parquet_columns(folder):
    path = folder / "columns.parquet"
    pq.write_table(pa.table({f"c{number}": ["x"] for number in range(1001)}), path)
    return path, "1,001 columns; up to 1,000 are read"


def parquet_footer(folder):
    path = folder / "footer.parquet"
    pq.write_table(pa.table({"a": ["x"]}), path)
    data = path.read_bytes()
    return written(path, data[:-8] + struct.pack("<I", 0x7FFFFFFF) + b"PAR1"), "footer points outside"


def parquet_large_footer(folder):
    return written(
        folder / "large.parquet", b"PAR1" + bytes(17 << 20) + struct.pack("<I", 17 << 20) + b"PAR1"
    ), "larger than 16 MB"


QUICK = [
    far_cells, far_area, beyond_the_last_row, zip_bomb_workbook, bomb_beside_the_sheets, many_parts, billion_laughs,
    laughs_in_utf16, one_part_twice, forged_sizes, forged_length_of_contents, gzip_bomb, zip_bomb, forged_zip,
    many_entries, endless_contents, parquet_columns, parquet_footer, parquet_large_footer,
]  # fmt: skip
LONG = [hidden_far_cells, endless_strings, parquet_rows, parquet_bytes, parquet_long_texts]


@pytest.mark.parametrize("make", [*QUICK, *(pytest.param(make, marks=pytest.mark.slow) for make in LONG)])
def test_a_hostile_file_is_refused_and_the_process_goes_on(tmp_path, make):
    path, words = make(tmp_path)
    this = psutil.Process()
    before = this.memory_info().rss

    with pytest.raises(UnreadableFile, match=words):
        opened(path)

    assert this.memory_info().rss - before < 100 << 20
    assert not list((tmp_path / "scratch").glob("*"))
    assert os.getpid() == this.pid
    assert opened(written(tmp_path / "good.csv", CSV)).form == "text"


def mutated(data, chance):
    """Return the bytes with a few of them changed, left out, doubled or moved."""
    data = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 5, 20])):
        at, length = chance.randrange(len(data)), chance.choice([1, 1, 2, 4, 50])
        match chance.randrange(5):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at : at + length] = chance.randbytes(length)
            case 2:
                del data[at : at + length]
            case 3:
                data[at:at] = data[at : at + length]
            case _:
                data[at : at + 4] = chance.choice(
                    [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\1\0\0\0"]
                )
        if not data:
            return b"x"
    return bytes(data)


def parts_of(path):
    """Return the parts of a workbook, so that a change meets them and not only their checksums."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.slow
@pytest.mark.parametrize("form", ["xlsx", "xlsx parts", "xls", "parquet"])
def test_a_damaged_file_is_read_or_refused_and_nothing_else(tmp_path, form):
    """Two hundred accidents each. Whatever comes back is a table or words."""
    rows = [["Id", "Name", "Amount"], *([str(at), f"name {at % 7}", at / 4] for at in range(60))]
    chance = random.Random(form)
    path = tmp_path / f"a.{form.split()[0]}"
    match form.split()[0]:
        case "xlsx":
            xlsx(path, ("Data", rows), ("Other", TABLE))
        case "xls":
            xls(path, dict(enumerate(rows, start=1)))
        case _:
            pq.write_table(
                pa.Table.from_pylist([dict(zip(rows[0], row, strict=True)) for row in rows[1:]]), path
            )
    good = path.read_bytes()
    parts = parts_of(path) if form == "xlsx parts" else {}
    kind = form.split()[0]
    outcomes = {"read": 0, "refused": 0, "broken": 0}
    waiting = []
    for number in range(200):
        victim = tmp_path / f"{number}"
        if parts:
            changed = chance.choice(sorted(parts))
            with zipfile.ZipFile(victim, "w") as archive:
                for name, data in parts.items():
                    archive.writestr(name, mutated(data, chance) if name == changed else data)
        else:
            victim.write_bytes(mutated(good, chance))
        try:
            recognized = formats.form_of(victim)
            if recognized == kind:
                waiting.append(victim)
            else:
                opened(victim)
        except ClienteleError:
            outcomes["refused"] += 1

    # Many to a child, for speed; where one of them ends the child, each goes the whole way by itself.
    function = "crm.imports.parquet:convert" if kind == "parquet" else "crm.imports.workbooks:convert"
    for start in range(0, len(waiting), 50):
        batch = waiting[start : start + 50]
        arguments = [
            {"path": str(victim), "target": str(victim) + ".arrow"}
            | ({"old": kind == "xls"} if kind != "parquet" else {})
            for victim in batch
        ]
        try:
            answer = sandbox.run(
                "tests.sandboxed_tasks:convert_each",
                {"function": function, "arguments": arguments},
                scratch=tmp_path,
            )
            outcomes["read"] += answer["read"]
            outcomes["refused"] += answer["refused"]
            outcomes["broken"] += len(answer["broken"])
        except UnreadableFile:
            for victim in batch:
                try:
                    opened(victim)
                    outcomes["read"] += 1
                except ClienteleError:
                    outcomes["refused"] += 1
    assert outcomes["refused"] > 20
    assert outcomes["broken"] == 0
    assert sum(outcomes.values()) == 200


# --- options ----------------------------------------------------------------------------------------------


def test_reading_options_are_told_from_the_others():
    options = {
        "encoding": "GBK", "delimiter": "tab", "quote": "none", "header_rows": "2", "skip_lines": "3",
        "sheet": "Sales", "policy": "skip", "date_order": "dmy",
    }  # fmt: skip

    reading, rest = Reading.from_options(options)

    assert reading == Reading("gb18030", "\t", "", 2, 3, "Sales")
    assert rest == {"policy": "skip", "date_order": "dmy"}
    assert Reading.from_options(reading.as_options()) == (reading, {})


def test_an_option_left_empty_is_not_chosen_but_for_the_quotation_mark():
    reading, _ = Reading.from_options({"encoding": "", "sheet": "", "header_rows": "", "quote": ""})

    assert reading == Reading(quote="")
    assert Reading.from_options({}) == (formats.AS_FOUND, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encoding", "klingon"), ("delimiter", "ab"), ("delimiter", "\n"), ("quote", "''"), ("header_rows", "-1"),
        ("header_rows", "two"), ("header_rows", "99"), ("skip_lines", "1.5"), ("skip_lines", "9999999999"),
    ],
)  # fmt: skip
def test_an_option_that_cannot_be_is_refused(name, value):
    with pytest.raises(InvalidValue):
        Reading.from_options({name: value})
