"""Mapping of what real programs export, of joined columns and constants, and of columns that say nothing."""

import duckdb
import pytest

from crm.errors import InvalidValue, MissingColumns
from crm.imports.mapping import (
    Guess,
    Mapping,
    derived_columns,
    effective,
    guess,
    guess_kind,
    source_sql,
    validate,
)
from crm.imports.reading import identifier
from crm.schema import KINDS, Kind

EXPORTS: list[tuple[str, Kind, str, dict[str, str | tuple[str, ...]]]] = [
    (
        "Shopify orders", "orders",
        "Name|Email|Financial Status|Paid at|Currency|Subtotal|Shipping|Taxes|Total|Discount Amount|Created at|"
        "Lineitem quantity|Lineitem name|Lineitem price|Lineitem sku|Notes|Vendor|Id|Source\n"
        "#1001|a@x.de|paid|2025-01-02 10:00:00 +0100|EUR|30|5|5|35.00|0|2025-01-02 10:00:00 +0100|2|Tea|10.00|T1||Teas|450789469|web\n"
        "#1001|a@x.de|||||||||2025-01-02 10:00:00 +0100|1|Cup|10.00|C1||Cups||\n",
        {"order_id": "Name", "customer_id": "Email", "ordered_at": "Created at", "quantity": "Lineitem quantity",
         "unit_price": "Lineitem price", "product": "Lineitem name", "channel": "Source", "currency": "Currency"},
    ),
    (
        "WooCommerce orders", "orders",
        "Order Number|Order Status|Order Date|Customer User ID|Email (Billing)|Order Total Amount|Order Shipping Amount|SKU|"
        "Item Name|Quantity|Item Cost|Coupon Code\n1001|completed|2025-01-02 10:00|17|a@x.de|35.00|5.00|T1|Tea|2|15.00|\n",
        {"order_id": "Order Number", "customer_id": "Customer User ID", "ordered_at": "Order Date",
         "amount": "Order Total Amount", "quantity": "Quantity", "unit_price": "Item Cost", "product": "Item Name"},
    ),
    (
        "Stripe payments", "orders",
        "id|Created date (UTC)|Amount|Amount Refunded|Currency|Description|Fee|Status|Customer ID|Customer Email\n"
        "ch_3Ab|2025-01-02 10:00:00|35.00|0.00|eur|Tea|1.20|Paid|cus_Q1|a@x.de\n",
        {"order_id": "id", "ordered_at": "Created date (UTC)", "amount": "Amount", "customer_id": "Customer ID",
         "currency": "Currency", "product": "Description"},
    ),
    (
        "Square transactions", "orders",
        "Date|Time|Time Zone|Gross Sales|Discounts|Net Sales|Tax|Tip|Total Collected|Transaction ID|Customer ID|Fees\n"
        "2025-01-02|10:11:12|Europe/Berlin|$35.00|$0.00|$35.00|$5.00|$1.00|$41.00|tx1|cu1|-$1.00\n",
        {"ordered_at": ("Date", "Time"), "order_id": "Transaction ID", "customer_id": "Customer ID", "amount": "Net Sales"},
    ),
    (
        "淘宝 orders", "orders",
        "订单编号|买家会员名|买家应付货款|买家实际支付金额|订单状态|收货人姓名|订单创建时间|宝贝标题|宝贝总数量\n"
        "T1|王小明123|35.00|30.00|交易成功|王小明|2025-01-02 10:11:12|茶|2\n",
        {"order_id": "订单编号", "customer_id": "买家会员名", "ordered_at": "订单创建时间", "amount": "买家实际支付金额",
         "quantity": "宝贝总数量", "product": "宝贝标题"},
    ),
    (
        "京东 orders", "orders",
        "订单号|下单帐号|下单时间|商品名称|订购数量|京东价|应付金额|订单状态\nJ1|jd_1|2025-01-02 10:11:12|茶|2|15.00|30.00|完成\n",
        {"order_id": "订单号", "customer_id": "下单帐号", "ordered_at": "下单时间", "product": "商品名称",
         "quantity": "订购数量", "unit_price": "京东价", "amount": "应付金额"},
    ),
    (
        "有赞 orders", "orders",
        "订单号|粉丝id|付款时间|订单实付金额|商品名称|商品数量|商品单价|店铺名称\nE1|77|2025-01-02 10:11:12|30.00|茶|2|15.00|茶铺\n",
        {"order_id": "订单号", "customer_id": "粉丝id", "ordered_at": "付款时间", "amount": "订单实付金额",
         "product": "商品名称", "quantity": "商品数量", "unit_price": "商品单价", "channel": "店铺名称"},
    ),
    (
        "Shopify customers", "contacts",
        "Customer ID|First Name|Last Name|Email|Accepts Email Marketing|Default Address Company|Default Address City|"
        "Default Address Country Code|Phone|Accepts SMS Marketing|Total Spent|Tags|Note\n"
        "207|Anna|Berg|a@x.de|yes|Teas|Bonn|DE|+49 30 123456|no|35.00|vip|\n",
        {"customer_id": "Customer ID", "name": ("First Name", "Last Name"), "email": "Email",
         "company": "Default Address Company", "city": "Default Address City", "country": "Default Address Country Code",
         "phone": "Phone", "email_consent": "Accepts Email Marketing", "phone_consent": "Accepts SMS Marketing", "note": "Note"},
    ),
    (
        "HubSpot contacts", "contacts",
        "Record ID|First Name|Last Name|Email|Phone Number|Contact owner|Lead Status|City|Country/Region|Company name|"
        "Create Date|Original Source|Unsubscribed from all email\n51|Anna|Berg|a@x.de|030 123456|Bo|New|Bonn|Germany|Teas|2025-01-02|Organic|false\n",
        {"customer_id": "Record ID", "name": ("First Name", "Last Name"), "email": "Email", "phone": "Phone Number",
         "city": "City", "country": "Country/Region", "company": "Company name", "joined_on": "Create Date",
         "channel": "Original Source"},
    ),
    (
        "Salesforce contacts", "contacts",
        "Contact ID|Salutation|First Name|Last Name|Account Name|Mailing City|Mailing Country|Phone|Mobile|Email|Birthdate|"
        "Lead Source|Email Opt Out\n003Ab00001xyzAB|Ms.|Anna|Berg|Teas|Bonn|Germany|030 123456|0171 1234567|a@x.de|1990-05-06|Web|0\n",
        {"customer_id": "Contact ID", "name": ("First Name", "Last Name"), "company": "Account Name",
         "city": "Mailing City", "country": "Mailing Country", "phone": "Phone", "email": "Email",
         "birth_date": "Birthdate", "channel": "Lead Source"},
    ),
    (
        "Klaviyo profiles", "contacts",
        "Klaviyo ID|Email|First Name|Last Name|Phone Number|City|Country|Email Marketing Consent|SMS Marketing Consent|Profile Created On\n"
        "01H|a@x.de|Anna|Berg|+4930123456|Bonn|Germany|SUBSCRIBED|NEVER_SUBSCRIBED|2025-01-02 10:11\n",
        {"customer_id": "Klaviyo ID", "email": "Email", "name": ("First Name", "Last Name"), "phone": "Phone Number",
         "city": "City", "country": "Country", "email_consent": "Email Marketing Consent",
         "phone_consent": "SMS Marketing Consent", "joined_on": "Profile Created On"},
    ),
    (
        "Mailchimp audience", "contacts",
        "Email Address|First Name|Last Name|Phone Number|Birthday|MEMBER_RATING|OPTIN_TIME|CC|LEID|EUID|NOTES|TAGS\n"
        "a@x.de|Anna|Berg|+4930123456|05/06|2|2025-01-02 10:11:12|DE|1|e1f2||\n",
        {"email": "Email Address", "name": ("First Name", "Last Name"), "phone": "Phone Number", "birth_date": "Birthday",
         "joined_on": "OPTIN_TIME", "customer_id": "EUID", "note": "NOTES"},
    ),
    (
        "微店 customers", "contacts",
        "会员编号|姓|名|手机号码|邮箱地址|性别|出生年月日|所在城市|注册时间|客户来源|积分\nW1|王|小明|13800138000|a@x.cn|男|1990-05-06|北京|2025-01-02|微信|120\n",
        {"customer_id": "会员编号", "name": ("姓", "名"), "phone": "手机号码", "email": "邮箱地址", "gender": "性别",
         "birth_date": "出生年月日", "city": "所在城市", "joined_on": "注册时间", "channel": "客户来源"},
    ),
]  # fmt: skip


def guessed(kind: Kind, text: str) -> tuple[Guess, list[str]]:
    header, *rows = [line.split("|") for line in text.splitlines()]
    samples = {name: [row[place] for row in rows] for place, name in enumerate(header)}
    return guess(kind, header, samples), header


@pytest.mark.parametrize(
    ("kind", "text", "expected"), [case[1:] for case in EXPORTS], ids=[case[0] for case in EXPORTS]
)
def test_exports_of_real_programs_are_mapped_with_no_help(
    kind: Kind, text: str, expected: dict[str, str | tuple[str, ...]]
) -> None:
    found, header = guessed(kind, text)
    assert {**found.mapping.columns, **found.mapping.joined} == expected
    assert found.confidence.keys() == found.reason.keys() == expected.keys()
    assert guess_kind(header) == kind or "customer_id" not in guess(kind, header).mapping.columns
    validate(found.mapping, header)


def test_columns_left_over_in_a_contacts_file_become_attributes() -> None:
    found, _ = guessed("contacts", EXPORTS[7][2])
    assert found.mapping.attributes == {"Total Spent": "Total Spent", "Tags": "Tags"}
    assert guessed("orders", EXPORTS[0][2])[0].mapping.attributes == {}
    assert guess("contacts", ["id", "rejected_line", "Points"]).mapping.attributes == {"Points": "Points"}


def test_what_our_own_export_computed_is_no_attribute() -> None:
    columns = ["customer_id", "orders", "recency_days", "name", "region", "custom_text_shoe_size"]
    assert set(guess("contacts", columns).mapping.attributes) == {"custom_text_shoe_size"}
    assert set(guess("contacts", ["customer_id", "orders", "region"]).mapping.attributes) == {
        "orders",
        "region",
    }


def test_a_refusal_is_no_consent() -> None:
    for header in ("Unsubscribed", "Email opt-out", "Do not email", "已退订", "Email unsubscribed"):
        assert "email_consent" not in guess("contacts", ["id", header]).mapping.columns


def test_a_full_name_goes_before_its_parts() -> None:
    found = guess("contacts", ["id", "Full Name", "First Name", "Last Name"]).mapping
    assert found.columns["name"] == "Full Name"
    assert found.joined == {}
    assert list(found.attributes) == ["First Name", "Last Name"]
    assert guess("contacts", ["id", "First Name"]).mapping.columns == {
        "customer_id": "id",
        "name": "First Name",
    }
    assert guess("contacts", ["id", "First", "Middle Name", "Last"]).mapping.joined["name"] == (
        "First",
        "Middle Name",
        "Last",
    )


def test_parts_of_a_chinese_name_are_joined_family_name_first() -> None:
    samples = {"id": ["1"], "First Name": ["小明"], "Last Name": ["王"]}
    assert guess("contacts", list(samples), samples).mapping.joined == {"name": ("Last Name", "First Name")}
    assert guess("contacts", ["编号", "名", "姓"]).mapping.joined == {"name": ("姓", "名")}


def test_a_date_with_its_own_clock_is_joined_with_no_other() -> None:
    samples = {"customer": ["1"], "date": ["2025-01-02 10:11"], "time": ["10:11"], "amount": ["5"]}
    assert guess("orders", list(samples), samples).mapping.joined == {}
    samples["date"] = ["2025-01-02 00:00:00"]
    assert guess("orders", list(samples), samples).mapping.joined == {"ordered_at": ("date", "time")}


@pytest.mark.parametrize(
    ("kind", "samples", "field", "source"),
    [
        ("contacts", {"id": ["1", "2"], "who": ["a@x.de", "b@x.de"]}, "email", "who"),
        ("contacts", {"id": ["1", "2"], "line": ["+49 30 123456", "+49 30 123457"]}, "phone", "line"),
        ("orders", {"customer": ["1"], "x": ["2025-01-02"], "amount": ["5"]}, "ordered_at", "x"),
        ("orders", {"customer": ["1"], "x": ["4. März 2025"], "amount": ["5"]}, "ordered_at", "x"),
        ("orders", {"customer": ["1"], "date": ["2025-01-02"], "x": ["€5,00"], "Discount": ["1,00"]}, "amount", "x"),
        ("orders", {"who": ["C00123"], "date": ["2025-01-02"], "amount": ["5"]}, "customer_id", "who"),
        ("orders", {"who": ["a@x.de"], "date": ["2025-01-02"], "amount": ["5"]}, "customer_id", "who"),
    ],
)  # fmt: skip
def test_a_header_that_says_nothing_is_judged_by_its_values(
    kind: Kind, samples: dict[str, list[str]], field: str, source: str
) -> None:
    found = guess(kind, list(samples), samples)
    assert found.mapping.columns[field] == source
    assert found.confidence[field] <= 0.5
    assert "its values look like it" in found.reason[field] or "e-mail" in found.reason[field]


def test_values_that_fit_twice_are_not_guessed() -> None:
    samples = {"customer": ["1"], "x": ["2025-01-02"], "y": ["2025-01-03"], "amount": ["5"]}
    assert "ordered_at" not in guess("orders", list(samples), samples).mapping.columns
    samples = {"customer": ["1"], "date": ["2025-01-02"], "Discount": ["1.00"]}
    assert "amount" not in guess("orders", list(samples), samples).mapping.columns


# --- what is made of other columns ---------------------------------------------------------------------


def made(mapping: Mapping, row: dict[str, str]) -> dict[str, str]:
    """Return the cells that a mapping makes of one row, by field."""
    with duckdb.connect(":memory:") as connection:
        names = ", ".join(f"? AS {identifier(name)}" for name in row)
        connection.execute(f"CREATE TABLE raw AS SELECT {names}", list(row.values()))
        extra = "".join(
            f", {sql} AS {identifier(name)}" for name, sql in derived_columns(mapping, list(row)).items()
        )
        connection.execute(f"CREATE VIEW made AS SELECT *{extra} FROM raw")
        columns = effective(mapping, list(row)).columns
        cells = connection.execute(
            f"SELECT {', '.join(map(identifier, columns.values()))} FROM made"
        ).fetchone()
        assert cells is not None
        return dict(zip(columns, cells, strict=True))


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("Anna", "Berg"), "Anna Berg"), ((" Anna ", "\u00a0"), "Anna"), (("", "Berg"), "Berg"), (("", ""), ""),
        (("王", "小明"), "王小明"), (("王", "小", "明"), "王小明"), (("王", "Li"), "王 Li"), (("김", "민준"), "김민준"),
        (("やまだ", "太郎"), "やまだ太郎"), (("王 小明", "先生"), "王 小明先生"), (("Anna Maria", "von Berg"), "Anna Maria von Berg"),
        (("王", "", "明"), "王明"), (("一", "二", "三", "四", "五"), "一二三四五"), (("O'Hara", "\\1"), "O'Hara \\1"),
    ],
)  # fmt: skip
def test_names_are_joined_as_they_are_written(parts: tuple[str, ...], name: str) -> None:
    row = {f"part {number}": part for number, part in enumerate(parts)}
    mapping = Mapping("contacts", {}, {"name": tuple(row)})
    assert made(mapping, row) == {"name": name}


@pytest.mark.parametrize(
    ("cells", "moment"),
    [
        (("2025-01-02", "10:11"), "2025-01-02 10:11"), (("2025-01-02 00:00:00", "10:11"), "2025-01-02 10:11"),
        (("2025-01-02 00:00:00", ""), "2025-01-02 00:00:00"), (("", "10:11"), "10:11"), (("2025年1月2日", "下午3:04"), "2025年1月2日 下午3:04"),
    ],
)  # fmt: skip
def test_a_date_and_a_time_are_joined_to_a_moment(cells: tuple[str, str], moment: str) -> None:
    mapping = Mapping("orders", {}, {"ordered_at": ("d", "t")})
    assert made(mapping, dict(zip("dt", cells, strict=True))) == {"ordered_at": moment}


def test_made_columns_have_names_that_people_understand_and_no_other_column_has() -> None:
    mapping = Mapping(
        "orders",
        {"customer_id": "id"},
        {"product": ("A", "B"), "category": ("A", "B")},
        {"currency": "EUR", "channel": "it's"},
    )
    assert list(derived_columns(mapping)) == [
        "A + B",
        "A + B (2)",
        "it's (for every row)",
        "EUR (for every row)",
    ]
    assert effective(mapping) == Mapping(
        "orders",
        {"customer_id": "id", "product": "A + B", "category": "A + B (2)", "channel": "it's (for every row)",
         "currency": "EUR (for every row)"},
    )  # fmt: skip
    assert next(iter(derived_columns(mapping, ["a + b"]))) == "A + B (2)"
    row = {"id": "1", "A": "x", "B": "y", "a + b": "own"}
    assert made(mapping, row) == {
        "customer_id": "1", "product": "x y", "category": "x y", "channel": "it's", "currency": "EUR",
    }  # fmt: skip
    assert source_sql(mapping, "customer_id") == '"id"'
    attributes = Mapping("contacts", {"customer_id": "id"}, attributes={"Points": "p"})
    assert effective(attributes) == attributes
    assert derived_columns(attributes) == {}


# --- what is refused -----------------------------------------------------------------------------------

NEEDED = {"customer_id": "c", "ordered_at": "d", "amount": "a"}


def test_joined_columns_and_constants_count_as_present() -> None:
    validate(
        Mapping("orders", {"customer_id": "c", "amount": "a"}, {"ordered_at": ("d", "t")}),
        ["c", "a", "d", "t"],
    )
    validate(
        Mapping("orders", {"customer_id": "c", "unit_price": "p", "ordered_at": "d"}, {}, {"quantity": "1"}),
        ["c", "p", "d"],
    )
    validate(Mapping("contacts", {"customer_id": "c"}, attributes={"Points": "p"}), ["c", "p"])


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (Mapping("orders", NEEDED, {"product": ("A", "B")}), "no column “A”, which is to be part of the product"),
        (Mapping("contacts", {"customer_id": "c"}, attributes={"Points": "p"}), "no column “p”, which is to be the attribute “Points”"),
        (Mapping("contacts", {"customer_id": "x"}), "no column “x”, which is to be the customer ID"),
    ],
)  # fmt: skip
def test_a_source_that_the_file_lacks_is_named(mapping: Mapping, message: str) -> None:
    with pytest.raises(MissingColumns, match=message):
        validate(mapping, ["c", "d", "a"])


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (Mapping("orders", NEEDED, {"colour": ("a",)}), "no field “colour”"),
        (Mapping("orders", NEEDED, {}, {"colour": "red"}), "no field “colour”"),
        (Mapping("orders", NEEDED, {}, {"amount": "5"}), "The amount has two sources"),
        (Mapping("orders", NEEDED, {"quantity": ("a", "d")}), "The quantity cannot be joined"),
        (Mapping("orders", NEEDED, {"product": ()}), "No columns are chosen to be joined for the product"),
        (Mapping("orders", NEEDED, {}, {"quantity": "some"}), "“some” cannot be the quantity of every row"),
        (Mapping("orders", {"customer_id": "c", "amount": "a"}, {}, {"ordered_at": "yesterday"}), "“yesterday” cannot be the order date"),
        (Mapping("orders", NEEDED, {}, {"currency": " "}), "“ ” cannot be the currency"),
        (Mapping("orders", {"ordered_at": "d", "amount": "a"}, {}, {"customer_id": "1"}), "customer ID cannot be the same for every row"),
        (Mapping("contacts", {"customer_id": "c"}, {}, {"email_consent": "perhaps"}), "“perhaps” cannot be the e-mail consent"),
        (Mapping("orders", NEEDED, attributes={"Points": "a"}), "brings no attributes"),
        (Mapping("contacts", {"customer_id": "c"}, attributes={" ": "a"}), "An attribute has no name"),
    ],
)  # fmt: skip
def test_a_mapping_that_makes_no_sense_is_refused(mapping: Mapping, message: str) -> None:
    with pytest.raises(InvalidValue, match=message) as refused:
        validate(mapping, ["c", "d", "a"])
    assert refused.value.hint


def test_a_mapping_survives_being_kept() -> None:
    for kind in KINDS:
        found = Mapping(kind, {"customer_id": "c"}, {"channel": ("a", "b")}, {"channel": "x"}, {"T": "t"})
        assert Mapping.from_dict(kind, found.as_dict()) == found
