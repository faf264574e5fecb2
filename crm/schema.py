"""The canonical tables: every column with its type, unit and meaning, and what people call it in files.

Four things are said here once and used everywhere: what an import may bring (`KINDS`), what the lake
stores (`ORDERS`, `RESPONSES`), what the per-customer table holds (`FIELDS`), and the words for both.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

Type = Literal["text", "integer", "number", "money", "date", "timestamp", "yes/no"]

Kind = Literal["orders", "contacts", "responses"]

UNKNOWN = "Unknown"
"""Segment of a customer whose value for a scheme is not known."""

BLANKS = "".join(
    map(chr, [*range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B),
              0x2028, 0x2029, 0x202F, 0x205F, 0x3000])
)  # fmt: skip
"""Whitespace in Unicode's sense, spelled out because every engine means something else by it."""


@dataclass(frozen=True)
class Column:
    """One column that a file of some kind may bring.

    `synonyms` are headers seen in the wild, in lower case, without spaces, dashes or underscores.
    """

    name: str
    type: Type
    title: str
    meaning: str
    synonyms: tuple[str, ...] = ()
    required: bool = False


CUSTOMER_ID = Column(
    "customer_id",
    "text",
    "Customer ID",
    "Who bought: the source's own identifier, kept letter for letter",
    (
        "customerid", "customer", "custid", "cust", "clientid", "client", "userid", "user", "memberid",
        "member", "buyerid", "buyer", "accountid", "customerno", "customernumber", "kundennummer",
        "contactid", "leadid", "personid", "profileid", "klaviyoid", "recordid", "customeruserid", "referenceid",
        "euid", "numeroclient", "idcliente", "codicecliente", "klantnummer",
        "客户id", "客户编号", "客户号", "客户", "顾客id", "顾客编号", "会员id", "会员编号", "会员号",
        "用户id", "用户编号", "买家id",
        "买家会员名", "会员名", "会员账号", "用户名", "下单账号", "下单帐号", "客户账号", "买家昵称", "粉丝id",
    ),
    required=True,
)  # fmt: skip

ORDER_COLUMNS: tuple[Column, ...] = (
    Column(
        "order_id", "text", "Order ID",
        "Which order a line belongs to; derived from customer, day and position when a file has none",
        ("orderid", "order", "orderno", "ordernumber", "invoiceno", "invoice", "invoiceid",
         "invoicenumber", "transactionid", "transaction", "receiptno", "receipt", "bestellnummer",
         "ordername", "orderref", "orderreference", "saleid", "saleno", "salesorder", "billno", "checkoutid",
         "paymentid", "chargeid", "paymentintentid", "numerodecommande", "numerodepedido", "ordernummer",
         "订单id", "订单编号", "订单号", "发票号", "交易号", "流水号", "主订单编号", "主订单号", "父订单号",
         "交易编号", "订单流水号", "单号"),
    ),
    CUSTOMER_ID,
    Column(
        "ordered_at", "timestamp", "Order date",
        "When the order was placed: a date, with or without a time, as the source's clock shows it",
        ("orderedat", "orderdate", "ordertime", "date", "datetime", "day", "invoicedate", "transactiondate",
         "purchasedate", "purchasedat", "createdat", "created", "time", "timestamp", "bestelldatum",
         "orderedon", "placedat", "orderplaced", "paidat", "processedat", "dateordered", "dateofpurchase", "saledate",
         "datesold", "datecreated", "createddate", "closedate", "completeddate", "datedecommande", "fechadepedido",
         "订单日期", "下单日期", "下单时间", "订单时间", "购买日期", "交易日期", "交易时间", "日期", "时间",
         "订单创建时间", "订单付款时间", "付款时间", "支付时间", "成交时间", "拍下时间", "订单提交时间", "创建时间"),
        required=True,
    ),
    Column(
        "amount", "money", "Amount",
        "Money of the line, negative for a return; or left out, and quantity × unit price is used",
        ("amount", "linetotal", "total", "totalamount", "totalprice", "lineamount", "sales", "revenue",
         "value", "dollarvalue", "orderamount", "ordertotal", "ordervalue", "spend", "netamount", "betrag",
         "lineitemtotal", "itemtotal", "grandtotal", "ordertotalamount", "totalpaid", "amountpaid", "paidamount",
         "netsales", "totalsales", "grosssales", "totalcollected", "subtotal", "montant", "importe", "importo", "bedrag",
         "金额", "订单金额", "总价", "消费金额", "销售额", "实付金额", "支付金额", "小计", "买家实际支付金额",
         "订单实付金额", "商品实际成交金额", "成交金额", "总金额", "订单总额", "实收金额", "应付金额", "买家应付货款", "货款"),
    ),
    Column(
        "quantity", "number", "Quantity", "Pieces on the line",
        ("quantity", "qty", "units", "count", "pieces", "numberofcds", "menge", "数量", "件数", "购买数量", "lineitemquantity", "itemquantity",
         "orderqty", "qtyordered", "quantityordered", "anzahl", "quantité", "cantidad", "quantità", "aantal", "购买件数",
         "商品数量", "宝贝总数量", "商品件数", "订购数量"),
    ),
    Column(
        "unit_price", "money", "Unit price", "Money for one piece",
        ("unitprice", "price", "priceperunit", "itemprice", "priceeach", "preis", "单价", "价格", "商品单价", "lineitemprice", "itemcost",
         "einzelpreis", "stückpreis", "prixunitaire", "preciounitario", "商品价格", "宝贝单价", "成交单价", "京东价"),
    ),
    Column(
        "product", "text", "Product", "What was bought: a name or an article number",
        ("product", "productid", "productname", "item", "itemname", "sku", "stockcode", "description",
         "article", "artikel", "商品", "商品名称", "产品", "产品名称", "商品编号", "货号", "lineitemname",
         "lineitemsku", "productsku", "producttitle", "产品编号", "商品标题", "宝贝标题", "宝贝名称", "商品id"),
    ),
    Column(
        "category", "text", "Category", "Group of products the line belongs to",
        ("category", "productcategory", "producttype", "department", "kategorie",
         "类别", "分类", "品类", "商品类别", "产品类别", "商品类目", "类目", "商品分类"),
    ),
    Column(
        "channel", "text", "Channel", "Where the order was placed",
        ("channel", "saleschannel", "orderchannel", "source", "store", "渠道", "销售渠道", "订单来源", "ordersource",
         "sourcename", "下单渠道", "销售平台", "平台", "店铺", "店铺名称"),
    ),
    Column(
        "currency", "text", "Currency", "ISO 4217 code of the amount",
        ("currency", "currencycode", "ccy", "währung", "币种", "货币", "currencyiso", "ordercurrency", "币别"),
    ),
    Column(
        "feedback", "text", "Feedback",
        "What the customer said about the order; any answer counts, an empty cell does not",
        ("feedback", "review", "comment", "comments", "rating", "reviewtext", "反馈", "评价", "评论"),
    ),
    Column(
        "recommendation", "text", "Recommendation",
        "How likely to recommend, 0 to 10; or yes / no",
        ("recommendation", "recommend", "nps", "npsscore", "likelihoodtorecommend", "wouldrecommend",
         "推荐", "推荐度", "推荐意愿", "是否推荐"),
    ),
)  # fmt: skip

RESPONSE_COLUMNS: tuple[Column, ...] = (
    Column(
        "response_id", "text", "Response ID",
        "Which answer this is; derived from customer, day and position when a file has none",
        ("responseid", "response", "answerid", "surveyid", "反馈id", "回复编号", "问卷编号"),
    ),
    CUSTOMER_ID,
    Column(
        "order_id", "text", "Order ID", "The order the answer is about, if any",
        ("orderid", "order", "invoiceno", "invoice", "订单id", "订单编号", "订单号"),
    ),
    Column(
        "responded_at", "timestamp", "Response date", "When the customer answered",
        ("respondedat", "responsedate", "answeredat", "date", "datetime", "surveydate", "createdat",
         "反馈日期", "回复日期", "评价时间", "日期"),
        required=True,
    ),
    ORDER_COLUMNS[-2],
    ORDER_COLUMNS[-1],
)  # fmt: skip

CONTACT_COLUMNS: tuple[Column, ...] = (
    CUSTOMER_ID,
    Column(
        "name", "text", "Name", "Full name of the person",
        ("name", "fullname", "customername", "contactname", "clientname", "姓名", "客户姓名", "客户名称",
         "会员姓名", "名字", "displayname", "contact", "person", "联系人", "联系人姓名", "真实姓名", "顾客姓名", "买家姓名",
         "收货人姓名", "收货人", "客户名"),
    ),
    Column("company", "text", "Company", "Organisation the person buys for",
           ("company", "companyname", "organisation", "organization", "firma", "公司", "公司名称", "单位", "account", "accountname",
            "organizationname", "billingcompany", "defaultaddresscompany", "unternehmen", "entreprise", "empresa",
            "azienda", "企业名称", "所属公司")),
    Column("email", "text", "E-mail", "E-mail address",
           ("email", "emailaddress", "mail", "电子邮件", "邮箱", "电子邮箱", "emailid", "primaryemail",
            "contactemail", "customeremail", "workemail", "billingemail", "mailaddress", "correo", "courriel", "电邮",
            "邮件", "邮箱地址", "电子邮箱地址", "邮件地址")),
    Column("phone", "text", "Phone", "Telephone number, as the source writes it",
           ("phone", "phonenumber", "mobile", "tel", "telephone", "cell", "电话", "手机", "手机号", "联系电话",
            "mobilephone", "mobilenumber", "mobileno", "cellphone", "phoneno", "telephonenumber", "contactnumber",
            "primaryphone", "billingphone", "defaultaddressphone", "telefon", "telefonnummer", "handy", "téléphone",
            "teléfono", "telefono", "手机号码", "电话号码", "联系手机", "移动电话", "收货人手机", "收货人手机号")),
    Column("gender", "text", "Gender", "As the source writes it", ("gender", "sex", "性别", "geschlecht", "sexe", "sesso")),
    Column("birth_date", "date", "Birth date", "Day of birth",
           ("birthdate", "birthday", "dateofbirth", "dob", "born", "geburtsdatum", "出生日期", "生日", "geburtstag",
            "datedenaissance", "fechadenacimiento", "datadinascita", "geboortedatum", "出生年月日", "出生年月")),
    Column("age", "integer", "Age", "Age in years, used where the birth date is unknown",
           ("age", "years", "alter", "年龄")),
    Column("city", "text", "City", "City the customer lives in; regions are made from it",
           ("city", "town", "location", "ort", "stadt", "城市", "所在城市", "市", "地区", "billingcity",
            "shippingcity", "mailingcity", "defaultaddresscity", "addresscity", "citytown", "locality", "ville", "ciudad",
            "città", "cidade", "plaats", "居住城市", "收货城市", "所在地")),
    Column("country", "text", "Country", "Country the customer lives in",
           ("country", "nation", "land", "国家", "国家地区", "countryregion", "countryname", "countrycode",
            "billingcountry", "shippingcountry", "mailingcountry", "defaultaddresscountry",
            "defaultaddresscountrycode", "pays", "país", "paese", "国别", "国家或地区")),
    Column("annual_income", "money", "Annual income", "Income in a year; purchase power is made from it",
           ("annualincome", "income", "yearlyincome", "salary", "einkommen", "年收入", "收入", "年薪")),
    Column("channel", "text", "Acquisition channel", "How the customer was won",
           ("acquisitionchannel", "channel", "source", "leadsource", "utmsource", "获客渠道", "来源", "渠道", "originalsource",
            "originaltrafficsource", "creationsource", "signupsource", "客户来源", "来源渠道", "注册来源")),
    Column("acquisition_cost", "money", "Acquisition cost", "Money spent to win this customer",
           ("acquisitioncost", "cac", "costofacquisition", "marketingcost", "获客成本", "营销成本")),
    Column("joined_on", "date", "Joined", "Day the customer signed up",
           ("joinedon", "joined", "signupdate", "registrationdate", "registeredat", "membersince", "createdat",
            "createdate", "createddate", "datecreated", "created", "datejoined", "customersince", "dateadded",
            "dateregistered", "registered", "profilecreatedon", "optintime", "firstvisit", "subscribedat",
            "注册日期", "注册时间", "入会日期", "入会时间", "成为会员时间", "成为客户时间", "会员注册时间", "创建时间", "关注时间")),
    Column("email_consent", "yes/no", "E-mail consent", "May be written to by e-mail",
           ("emailconsent", "consent", "optin", "emailoptin", "newsletter", "acceptsmarketing", "marketingconsent",
            "acceptsemailmarketing", "emailmarketingconsent", "emailsubscribed", "emailsubscriptionstatus",
            "邮件订阅", "同意营销", "营销同意", "接受邮件营销", "是否订阅邮件")),
    Column("phone_consent", "yes/no", "Phone consent", "May be called or sent text messages",
           ("phoneconsent", "smsconsent", "smsoptin", "phoneoptin", "短信订阅", "同意短信", "acceptssmsmarketing",
            "smsmarketingconsent", "smssubscribed", "接受短信营销")),
    Column("note", "text", "Note", "Whatever else is worth knowing", ("note", "notes", "remark", "memo", "备注", "remarks", "customernote", "notiz", "bemerkung", "客户备注", "备注信息")),
)  # fmt: skip

KINDS: dict[Kind, tuple[Column, ...]] = {
    "orders": ORDER_COLUMNS,
    "contacts": CONTACT_COLUMNS,
    "responses": RESPONSE_COLUMNS,
}

MONEY = pa.decimal128(18, 4)
"""Money in the lake: exact sums on every engine and in any order."""

ORDERS = pa.schema(
    [
        ("order_id", pa.string()),
        ("customer_id", pa.string()),
        ("ordered_at", pa.timestamp("us")),  # the source's own clock; no zone is invented
        ("day", pa.int32()),  # days since 1970-01-01: arithmetic that every engine has
        ("amount", MONEY),
        ("quantity", MONEY),
        ("unit_price", MONEY),
        ("product", pa.string()),
        ("category", pa.string()),
        ("channel", pa.string()),
        ("currency", pa.string()),
        ("import_id", pa.string()),  # the import that wrote the line last
    ]
)
"""The lake's `orders`: one row per order line."""

RESPONSES = pa.schema(
    [
        ("response_id", pa.string()),
        ("customer_id", pa.string()),
        ("order_id", pa.string()),
        ("responded_at", pa.timestamp("us")),
        ("day", pa.int32()),
        ("feedback", pa.string()),  # any text is an answer
        ("recommendation", pa.int32()),  # 0 to 10; empty when asked as yes / no
        ("recommended", pa.bool_()),  # 9, 10 or yes; empty when the question was not answered
        ("import_id", pa.string()),
    ]
)
"""The lake's `responses`: one row per answer of a customer."""

LAKE: dict[str, pa.Schema] = {"orders": ORDERS, "responses": RESPONSES}


SHARE = "share"
"""Unit of a field from 0 to 1, which people read and write as a percentage."""


@dataclass(frozen=True)
class Field:
    """One field of the per-customer table: what an audience may filter on and an export may hold."""

    name: str
    type: Type
    title: str
    meaning: str
    unit: str = ""
    source: Literal["orders", "responses", "contact", "scheme"] = "orders"


FIELDS: tuple[Field, ...] = (
    Field("customer_id", "text", "Customer ID", CUSTOMER_ID.meaning),
    Field("first_order_day", "date", "First order", "Day of the first purchase"),
    Field("last_order_day", "date", "Last order", "Day of the last purchase"),
    Field("orders", "integer", "Orders", "Number of purchases: orders whose lines sum to more than 0", "orders"),
    Field("purchase_days", "integer", "Purchase days", "Distinct days with a purchase", "days"),
    Field("returns", "integer", "Returns", "Number of orders whose lines sum to 0 or less", "orders"),
    Field("revenue", "money", "Revenue", "Sum of all amounts up to the as-of day, returns included", "money"),
    Field("annual_revenue", "money", "Revenue, last 365 days",
          "Sum of all amounts of the 365 days that end with the as-of day, returns included", "money"),
    Field("average_order_value", "money", "Average order value",
          "Sum of the purchases' totals ÷ number of purchases", "money"),
    Field("recency_days", "integer", "Days since last order", "As-of day − last purchase day", "days"),
    Field("tenure_days", "integer", "Days since first order", "As-of day − first purchase day", "days"),
    Field("lifecycle_years", "number", "Lifecycle", "(As-of day − first purchase day) ÷ 365", "years"),
    Field("recency_score", "integer", "Recency score", "1 to 5; 5: bought most recently", "score", "scheme"),
    Field("frequency_score", "integer", "Frequency score", "1 to 5; 5: most orders", "score", "scheme"),
    Field("monetary_score", "integer", "Monetary score", "1 to 5; 5: most revenue", "score", "scheme"),
    Field("rfm_segment", "text", "RFM segment", "One of 11 names, from the three scores", "", "scheme"),
    Field("value_class", "text", "Value class",
          "Customers sorted by revenue: A makes the first 80 %, B the next 15 %, C the rest", "", "scheme"),
    Field("purchase_power", "text", "Purchase power",
          "Annual income ÷ 10,000: over 100 is A, over 50 is B, else C", "", "scheme"),
    Field("age_group", "text", "Age group", "Under 30 Young, under 60 Middle-aged, else Senior", "", "scheme"),
    Field("region", "text", "Region", "Made from the city by an editable table", "", "scheme"),
    Field("feedback_answers", "integer", "Feedback answers", "Answers with feedback up to the as-of day",
          "answers", "responses"),
    Field("recommendations", "integer", "Recommendations", "Answers of 9, 10 or yes up to the as-of day",
          "answers", "responses"),
    Field("dcf_lifetime_value", "money", "Lifetime value (DCF)",
          "Σ annual revenue × margin ÷ (1 + d)^t − acquisition cost", "money"),
    Field("probability_alive", "number", "Likely still a customer",
          "Probability that the customer has not gone for good, from how often, how lately and since when they bought; "
          "BG/NBD takes everybody with a single purchase day for still there",
          SHARE),
    Field("expected_orders_12m", "number", "Expected orders, 12 months",
          "Purchase days that the model expects in the 365 days after the as-of day", "orders"),
    Field("expected_orders_12m_low", "number", "Expected orders, 12 months, low end",
          "Low end of the range that holds the purchase days of those 365 days with 80 % probability", "orders"),
    Field("expected_orders_12m_high", "number", "Expected orders, 12 months, high end",
          "High end of that range", "orders"),
    Field("lifetime_value", "money", "Lifetime value",
          "Σ over the horizon of the model's expected revenue × margin, discounted, − acquisition cost", "money"),
    Field("lifetime_value_low", "money", "Lifetime value, low end",
          "Low end of the range that holds the lifetime value with 80 % probability", "money"),
    Field("lifetime_value_high", "money", "Lifetime value, high end", "High end of that range", "money"),
    *(
        Field(column.name, column.type, column.title, column.meaning, "", "contact")
        for column in CONTACT_COLUMNS
        if column.name != "customer_id"
    ),
)  # fmt: skip

FIELD: dict[str, Field] = {field.name: field for field in FIELDS}
"""Every field of the per-customer table by its name."""


CUSTOM_TYPES: dict[str, Type] = {"text": "text", "number": "number", "date": "date", "yesno": "yes/no"}
"""Types of a custom attribute as its field's name says them."""

_CUSTOM = "custom_"


def custom_name(title: str) -> str:
    """Return the name an attribute with this header is stored under: letters, digits and underscores."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", title).casefold())
    return "_".join(words)[:60] or "attribute"


def custom_field_name(name: str, type_: Type) -> str:
    """Return the name of the field of the per-customer table that holds a custom attribute.

    It says its type, so that a saved rule can be read without asking what is stored.
    """
    return f"{_CUSTOM}{type_.replace('/', '')}_{name}"


def field_of(name: str) -> Field | None:
    """Return the field of this name: one of `FIELD`, a custom attribute's, or nothing."""
    if name in FIELD:
        return FIELD[name]
    word, sign, attribute = name.removeprefix(_CUSTOM).partition("_")
    if not name.startswith(_CUSTOM) or not sign or not attribute or word not in CUSTOM_TYPES:
        return None
    title = attribute.replace("_", " ")
    return Field(
        name,
        CUSTOM_TYPES[word],
        title[:1].upper() + title[1:],
        "Attribute that a contacts file brought",
        "",
        "contact",
    )


def column_of(kind: Kind, name: str) -> Column:
    """Return the canonical column `name` of files of `kind`."""
    return next(column for column in KINDS[kind] if column.name == name)
