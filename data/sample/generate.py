"""Make the sample shop: contacts, orders and responses of a tea shop that does not exist.

`python data/sample/generate.py` writes the files beside this script anew, byte for byte the same, and
`write(folder)` writes them elsewhere. README.md says what the files hold, truth.json what made them.
"""

import csv
import gzip
import io
import json
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

SEED = 20230707
FIRST_DAY = date(2023, 7, 1)
LAST_DAY = date(2026, 6, 30)
DAYS = (LAST_DAY - FIRST_DAY).days + 1
WEEKS = DAYS / 7

CUSTOMERS = 4_700
PROSPECTS = 300

R, ALPHA, A, B = 0.65, 2.5, 0.7, 5.5  # BG/NBD, weeks
P, Q, V = 4.0, 4.2, 240.0  # Gamma-Gamma, CNY: mean spend P V / (Q - 1) = 300
CURRENCY = "CNY"

SECOND_ORDER = 0.02  # share of purchase days with another order later the same day
LAUNCH = (date(2024, 9, 3) - FIRST_DAY).days  # the shop opens its stall on a marketplace
LATE_PARCELS = ((date(2024, 11, 18) - FIRST_DAY).days, (date(2025, 1, 5) - FIRST_DAY).days)

Array = np.ndarray[Any, Any]


def words(text: str) -> tuple[str, ...]:
    """Return the words of a line."""
    return tuple(text.split())


# English name, Chinese name, country, share of new customers at the start and at the end
CITIES: tuple[tuple[str, str, str, float, float], ...] = (
    ("Beijing", "北京", "China", 0.21, 0.12),
    ("Shanghai", "上海", "China", 0.22, 0.15),
    ("Tianjin", "天津", "China", 0.04, 0.03),
    ("Hangzhou", "杭州", "China", 0.13, 0.08),
    ("Nanjing", "南京", "China", 0.06, 0.05),
    ("Guangzhou", "广州", "China", 0.06, 0.09),
    ("Shenzhen", "深圳", "China", 0.06, 0.12),
    ("Guangdong", "广东", "China", 0.02, 0.03),  # some write the province
    ("Chengdu", "成都", "China", 0.06, 0.07),
    ("Chongqing", "重庆", "China", 0.03, 0.03),
    ("Wuhan", "武汉", "China", 0.04, 0.04),
    ("Xi'an", "西安", "China", 0.03, 0.03),
    ("London", "", "United Kingdom", 0.02, 0.07),
    ("Manchester", "", "United Kingdom", 0.005, 0.02),
    ("Edinburgh", "", "United Kingdom", 0.003, 0.01),
    ("Berlin", "", "Germany", 0.002, 0.035),
    ("New York", "", "United States", 0.005, 0.015),
    ("San Francisco", "", "United States", 0.005, 0.01),
)

# The number ranges that the regulators keep free for fiction: prefix and digits to fill
FICTIONAL_PHONES: dict[str, tuple[tuple[str, int], ...]] = {
    "London": (("+44 20 7946 0", 3), ("+44 7700 900", 3)),
    "Manchester": (("+44 161 496 0", 3),),
    "Edinburgh": (("+44 131 496 0", 3),),
    "Berlin": (("+49 30 23125 ", 3),),
    "New York": (("+1 212 555 01", 2), ("+1 646 555 01", 2)),
    "San Francisco": (("+1 415 555 01", 2), ("+1 628 555 01", 2)),
}

# Acquisition channel: weight, pull of loyal customers, mean cost in CNY, growth of the cost per year
CHANNELS: dict[str, tuple[float, float, float, float]] = {
    "Search": (0.30, 0.0, 60.0, 0.10),
    "Social": (0.27, -0.25, 38.0, 0.30),
    "Referral": (0.15, 0.7, 20.0, 0.0),
    "Store": (0.18, 0.2, 34.0, 0.05),
    "Marketplace": (0.34, -0.7, 92.0, 0.0),
}

# Product, category, list price in CNY, popularity
PRODUCTS: tuple[tuple[str, str, float, float], ...] = (
    ("Jasmine Pearls 100 g", "Tea", 58, 1.3),
    ("White Peony 50 g", "Tea", 75, 0.9),
    ("Keemun Black 125 g", "Tea", 88, 1.0),
    ("龙井 Longjing 100 g", "Tea", 168, 1.5),
    ("铁观音 Tieguanyin 250 g", "Tea", 138, 1.2),
    ("大红袍 Da Hong Pao 100 g", "Tea", 260, 0.9),
    ("普洱 Pu'er Cake 357 g", "Tea", 320, 0.8),
    ("普洱 Aged Pu'er Cake 2008", "Tea", 1180, 0.4),
    ("Bamboo Tea Scoop", "Teaware", 28, 0.7),
    ("Porcelain Cup", "Teaware", 45, 0.9),
    ("Glass Teapot 600 ml", "Teaware", 128, 0.9),
    ("盖碗 Gaiwan, Celadon", "Teaware", 188, 0.8),
    ("Travel Tea Set", "Teaware", 238, 0.7),
    ("紫砂壶 Yixing Teapot", "Teaware", 680, 0.6),
    ("Kettle with Thermometer", "Teaware", 420, 0.5),
    ("The Book of Tea, pocket edition", "Books", 36, 0.6),
    ("茶经 The Classic of Tea, annotated", "Books", 68, 0.6),
    ("Teapots of Yixing, illustrated", "Books", 198, 0.3),
    ("Sesame Biscuits", "Snacks", 22, 0.8),
    ("Dried Persimmons 500 g", "Snacks", 49, 0.6),
    ("绿豆糕 Mung Bean Cakes", "Snacks", 35, 0.7),
    ("Taster Box, Six Teas", "Gifts", 158, 0.8),
    ("中秋礼盒 Mid-Autumn Gift Box", "Gifts", 288, 0.7),
    ("新春礼盒 New Year Hamper", "Gifts", 488, 0.7),
    ("Company Gift Set", "Gifts", 880, 0.4),
)

SURNAMES_ZH = words(
    "王Wang 李Li 张Zhang 刘Liu 陈Chen 杨Yang 黄Huang 赵Zhao 吴Wu 周Zhou 徐Xu 孙Sun 马Ma 朱Zhu 胡Hu "
    "郭Guo 何He 林Lin 高Gao 罗Luo 郑Zheng 梁Liang 谢Xie 宋Song 唐Tang 许Xu 韩Han 冯Feng 邓Deng 曹Cao"
)
GIVEN_ZH = {
    "female": words(
        "芳Fang 敏Min 静Jing 丽Li 娟Juan 秀英Xiuying 婷Ting 雪Xue 梦琪Mengqi 雨桐Yutong 欣怡Xinyi "
        "佳怡Jiayi 晓燕Xiaoyan 思雨Siyu 玉兰Yulan 红梅Hongmei 文静Wenjing 春花Chunhua"
    ),
    "male": words(
        "伟Wei 强Qiang 磊Lei 军Jun 勇Yong 杰Jie 涛Tao 明Ming 浩然Haoran 宇轩Yuxuan 子涵Zihan 建国Jianguo "
        "志强Zhiqiang 俊杰Junjie 国华Guohua 天佑Tianyou 文博Wenbo 海波Haibo"
    ),
}
SURNAMES_EN = words(
    "Smith Jones Taylor Brown Wilson Davies Evans Thomas Roberts Walker Wright Robinson Thompson Hughes "
    "Edwards Green Wood Harris Clarke Turner Hill Cooper Ward Morris Murphy Campbell Okafor Patel Khan Lewis"
)
GIVEN_EN = {
    "female": words(
        "Olivia Amelia Emily Grace Sophie Charlotte Hannah Alice Eleanor Lucy Ruth Zara Freya Isla Margaret "
        "Joan Priya Chloe"
    ),
    "male": words(
        "Oliver George Harry Jack Thomas James William Henry Daniel Samuel Edward Arthur Peter Ravi Liam "
        "Callum Ben David"
    ),
}
SURNAMES_DE = words(
    "Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Koch Richter Klein Wolf Vogel"
)
GIVEN_DE = {
    "female": words("Anna Lena Katharina Julia Sabine Petra Greta Frieda Claudia Heike"),
    "male": words("Lukas Jonas Felix Stefan Jürgen Matthias Karl Uwe Emil Bernd"),
}
COMPANY_STEMS = words("Lotus Crane Jade River Bamboo Lantern Harbour Silk Plum Cedar Magpie Willow")
COMPANY_KINDS = ("Tea House", "Trading", "Hotel", "Design Studio", "Café", "Gifts", "Consulting", "Books")
COMPANY_STEMS_ZH = words("云山 荷塘 松风 青石 明月 竹里 春江 望海")
COMPANY_KINDS_ZH = ("贸易有限公司", "茶馆", "酒店", "文化传播公司", "礼品商行", "设计工作室")

FEEDBACK = {
    ("en", "good"): (
        "Lovely tea, will order again.", "Fast delivery and beautifully packed.",
        "My favourite shop for Longjing.", "The teapot is even nicer than in the picture.",
        "Great gift, my mother was delighted.", "Fresh, fragrant, fairly priced.", "Perfect as always!",
        "Helpful advice on the phone, thank you.",
    ),
    ("en", "fair"): (
        "Good tea, but the parcel took a week.", "Fine.", "Nice cup, a little smaller than expected.",
        "Quality as expected, price went up though.", "OK for a gift.", "The box was dented, the tea is fine.",
    ),
    ("en", "bad"): (
        "Arrived late and the box was open.", "The cup was broken.", "Stale, not what I paid for.",
        "Nobody answered my e-mail.", "Too expensive for this quality.", "Wrong item delivered.",
    ),
    ("zh", "good"): (
        "茶很香，会再来。", "物流很快，包装精美。", "送礼很有面子，长辈很喜欢。", "一直在这家买，品质稳定。",
        "紫砂壶做工很好，满意。", "客服很耐心，点赞！", "性价比高，推荐。", "好喝！",
    ),
    ("zh", "fair"): (
        "味道还可以，就是快递慢了点。", "一般。", "和描述差不多。", "茶不错，价格有点贵。",
        "包装可以再好一点。", "还行，送人够用。",
    ),
    ("zh", "bad"): (
        "快递太慢，盒子都压坏了。", "杯子收到就是碎的。", "茶叶不新鲜，失望。", "客服不回消息。",
        "不值这个价。", "发错货了。",
    ),
}  # fmt: skip

HOURS = np.array(
    [0.5, 0.2, 0.1, 0.1, 0.1, 0.2, 0.6, 1.4, 2.2, 3.0, 3.6, 3.4, 3.8, 3.2, 2.8, 2.8, 2.9, 2.7, 2.9, 3.6, 4.4,
     4.6, 3.4, 1.5]
)  # fmt: skip
HOUR_CLOCK = np.concatenate([[0.0], np.cumsum(HOURS) / HOURS.sum()])
WEEKDAYS = np.array([0.93, 0.91, 0.94, 0.98, 1.04, 1.12, 1.08])  # Monday first


@dataclass(frozen=True)
class Population:
    """What nobody sees of the customers who buy: one entry per customer, in order of arrival."""

    first_day: Array  # calendar day of the first purchase, from 0
    first_moment: Array  # share of that day's orders that come before it
    rate: Array  # purchases per operational week while alive
    dropout: Array  # chance to leave for good after a repeat purchase
    spend_rate: Array  # rate of the Gamma distribution of a purchase's total


@dataclass(frozen=True)
class Orders:
    """One entry per purchase, in order of time."""

    customer: Array
    day: Array
    second: Array
    cents: Array
    farewell: Array  # the customer left after this purchase
    won_through: Array  # acquisition channel's position in CHANNELS


def stream(name: str) -> np.random.Generator:
    """Return a random stream of its own, so that a change to one table leaves the others as they are."""
    return np.random.default_rng([SEED, *name.encode()])


def bump(position: Array, centre: date, *, width: float) -> Array:
    """Return a bell over days of the year around `centre`, every year anew, 1 at its top."""
    shifted = (position - centre.timetuple().tm_yday + 182.5) % 365.25 - 182.5
    bell: Array = np.exp(-0.5 * (shifted / width) ** 2)
    return bell


def daily_intensity() -> Array:
    """Return how busy each calendar day is; the mean over every year from July to June is exactly 1."""
    days = [FIRST_DAY + timedelta(days=n) for n in range(DAYS)]
    position = np.array([day.timetuple().tm_yday for day in days], dtype=float)
    season = (
        0.88
        + 0.85 * bump(position, date(2023, 12, 3), width=20)
        + 0.90 * bump(position, date(2023, 11, 11), width=2.5)
        + 0.45 * bump(position, date(2023, 6, 18), width=3)
        + 0.25 * bump(position, date(2023, 9, 15), width=10)
        - 0.30 * bump(position, date(2023, 2, 12), width=16)
    )
    intensity: Array = season * WEEKDAYS[[day.weekday() for day in days]]
    year = np.array([day.year - (day.month < FIRST_DAY.month) for day in days])
    for each in np.unique(year):
        intensity[year == each] /= intensity[year == each].mean()
    return intensity


def clock(intensity: Array) -> Array:
    """Return the operational weeks that have passed when each calendar day begins, the end included."""
    passed = np.concatenate([[0.0], np.cumsum(intensity)]) / 7
    passed[-1] = WEEKS
    return passed


def second_of_day(moment: Array) -> Array:
    """Return the second at which the share `moment` of a day's orders has come in."""
    hours = np.interp(moment, HOUR_CLOCK, np.arange(25.0))
    second: Array = np.minimum((hours * 3600).astype(np.int64), 86_399)
    return second


def ranks(values: Array) -> Array:
    """Return the values' normal scores: their ranks, laid out like a standard normal sample."""
    levels = (np.argsort(np.argsort(values, kind="stable"), kind="stable") + 0.5) / len(values)
    return np.array([NormalDist().inv_cdf(level) for level in levels])


def by_rank(values: Array, score: Array) -> Array:
    """Return `values` dealt out so that the highest goes to the highest score: their mix stays as it is."""
    dealt = np.empty_like(values)
    dealt[np.argsort(score, kind="stable")] = np.sort(values)
    return dealt


def draw(rng: np.random.Generator, weights: Array) -> Array:
    """Return one position per row, drawn with that row's weights."""
    edges = np.cumsum(weights, axis=1)
    position: Array = (rng.random((len(weights), 1)) * edges[:, -1:] > edges).sum(axis=1)
    return position


def make_population(intensity: Array) -> Population:
    """Return the customers: when they come, and the parameters that the two models give each of them."""
    rng = stream("population")
    day = np.arange(DAYS)
    growth = 1 + 1.7 / (1 + np.exp(-(day - 480) / 110)) + 0.9 * np.exp(-0.5 * ((day - LAUNCH - 25) / 22) ** 2)
    arrivals = growth * intensity
    first_day = np.sort(rng.choice(DAYS, size=CUSTOMERS, p=arrivals / arrivals.sum()))
    return Population(
        first_day=first_day,
        first_moment=rng.random(CUSTOMERS),
        rate=rng.gamma(R, 1 / ALPHA, CUSTOMERS),
        dropout=rng.beta(A, B, CUSTOMERS),
        spend_rate=rng.gamma(Q, 1 / V, CUSTOMERS),
    )


def make_purchases(people: Population, passed: Array, channel: Array) -> tuple[Orders, Array]:
    """Return every purchase, and which customers are still there at the end.

    The BG/NBD process runs in operational weeks; `passed` turns them into calendar days. Two of its
    events on one calendar day would be merged by whoever counts purchase days, so the later one moves
    to the next day: the number of purchase days is then the number of events.
    """
    rng = stream("purchases")
    width = np.diff(passed)
    now = passed[people.first_day] + people.first_moment * width[people.first_day]
    who = np.arange(CUSTOMERS)
    last = people.first_day.copy()
    alive = np.ones(CUSTOMERS, dtype=bool)
    customers, days, moments = [who], [people.first_day], [people.first_moment]
    farewells = [np.zeros(CUSTOMERS, dtype=bool)]
    while len(who):
        now[who] += rng.exponential(1.0, len(who)) / people.rate[who]
        who = who[now[who] < WEEKS]
        day = np.searchsorted(passed, now[who], side="right") - 1
        moment = (now[who] - passed[day]) / width[day]
        day = np.maximum(day, last[who] + 1)
        inside = day < DAYS
        who, day, moment = who[inside], day[inside], moment[inside]
        last[who] = day
        leaves = rng.random(len(who)) < people.dropout[who]
        alive[who] = ~leaves
        customers.append(who)
        days.append(day)
        moments.append(moment)
        farewells.append(leaves)
        who = who[~leaves]
    customer, day, moment, farewell = map(np.concatenate, (customers, days, moments, farewells))

    again = rng.random(len(customer)) < SECOND_ORDER
    customer = np.concatenate([customer, customer[again]])
    day = np.concatenate([day, day[again]])
    moment = np.concatenate(
        [moment, moment[again] + (1 - moment[again]) * rng.uniform(0.1, 0.9, again.sum())]
    )
    farewell = np.concatenate([farewell, np.zeros(again.sum(), dtype=bool)])
    second = second_of_day(moment)
    order = np.lexsort((customer, second, day))
    customer, day, second, farewell = customer[order], day[order], second[order], farewell[order]

    total = rng.gamma(P, 1.0, len(customer)) / people.spend_rate[customer]
    cents = np.maximum(np.rint(total * 100).astype(np.int64), 1)
    return Orders(customer, day, second, cents, farewell, channel[customer]), alive


def make_lines(orders: Orders) -> dict[str, Array]:
    """Return the purchases' lines: order, quantity, unit price in cents and product.

    A line is quantity × unit price to the cent and an order's lines sum to its total.
    """
    rng = stream("lines")
    size = len(orders.cents)
    weights = np.array([0.58, 0.26, 0.11, 0.05]) * (orders.cents[:, None] / 25_000) ** (0.3 * np.arange(4))
    weights[orders.cents < 3_000, 1:] = 0
    count = draw(rng, weights) + 1
    shares = 0.15 + rng.gamma(3.0, 1.0, (size, 4))
    shares[np.arange(4) >= count[:, None]] = 0
    target = orders.cents[:, None] * shares / shares.sum(axis=1, keepdims=True)

    quantity = 1 + draw(rng, np.tile([0.70, 0.19, 0.07, 0.04], (size * 4, 1))).reshape(size, 4)
    bulk = target > 150_000
    quantity[bulk] = np.array([2, 4, 5, 10])[rng.integers(0, 4, bulk.sum())]
    price = np.maximum(np.rint(target / quantity).astype(np.int64), 1)
    # The last line takes what the others leave over: in one piece where it cannot be shared out evenly.
    final = np.arange(4) == count[:, None] - 1
    before = np.where(np.arange(4) < count[:, None] - 1, quantity * price, 0).sum(axis=1)
    rest = orders.cents - before
    final_quantity = np.where(rest % quantity[final] == 0, quantity[final], 1)
    quantity[final] = final_quantity
    price[final] = rest // final_quantity

    used = np.arange(4) < count[:, None]
    order = np.repeat(np.arange(size), count)
    quantity, price = quantity[used], price[used]

    list_price = np.array([row[2] for row in PRODUCTS]) * 100
    category = np.array([row[1] for row in PRODUCTS])
    names = np.array([row[0] for row in PRODUCTS])
    distance = np.log(price)[:, None] - np.log(list_price)
    closeness = -0.5 * (distance / 0.28) ** 2
    closeness -= closeness.max(axis=1, keepdims=True)
    position = (orders.day[order] + FIRST_DAY.timetuple().tm_yday - 1) % 365.25 + 1
    festive = bump(position, date(2023, 12, 12), width=22) + bump(position, date(2023, 1, 15), width=12)
    autumn = bump(position, date(2023, 9, 15), width=12)
    wanted = np.tile([row[3] for row in PRODUCTS], (len(order), 1))
    wanted *= np.where(category == "Gifts", 1 + 1.6 * festive[:, None], 1.0)
    wanted *= np.where(names == "中秋礼盒 Mid-Autumn Gift Box", 0.1 + 6 * autumn[:, None], 1.0)
    wanted *= np.where(names == "新春礼盒 New Year Hamper", 0.1 + 2.5 * festive[:, None], 1.0)
    product = draw(rng, np.exp(closeness) * wanted)
    return {"order": order, "quantity": quantity, "price": price, "product": product}


def order_channels(orders: Orders) -> Array:
    """Return where each purchase was placed: the app grows, a channel's customers keep to it."""
    rng = stream("order channels")
    progress = orders.day / DAYS
    weights = np.stack(
        [
            0.55 - 0.25 * progress,
            0.12 + 0.5 * progress,
            np.full(len(progress), 0.16),
            np.full(len(progress), 0.05),
        ],
        axis=1,
    )
    won = np.array(list(CHANNELS))[orders.won_through]
    weights[won == "Store", 2] += 1.0
    weights[won == "Marketplace", 3] += 1.6
    weights[won == "Social", 1] += 0.25
    weights[orders.day < LAUNCH, 3] = 0
    return np.array(["Web", "App", "Store", "Marketplace"])[draw(rng, weights)]


def order_rows(
    orders: Orders, lines: dict[str, Array], identifiers: list[str]
) -> tuple[list[list[str]], list[str], Array]:
    """Return the rows of orders.csv, the purchases' order numbers, and which purchases came back.

    About one purchase in thirty comes back, whole or in one line, as an order of its own with negative
    quantities whose number is R and the digits of the purchase.
    """
    rng = stream("returns")
    channel = order_channels(orders)
    size = len(orders.customer)
    start = np.searchsorted(lines["order"], np.arange(size + 1))
    gift = np.array([row[1] == "Gifts" for row in PRODUCTS])[lines["product"][start[:-1]]]
    chance = 0.03 + 0.03 * (channel == "Marketplace") + 0.012 * gift
    back = rng.random(size) < chance
    back_day = orders.day + 3 + rng.poisson(8, size)
    back &= back_day < DAYS
    whole = rng.random(size) < 0.4
    back_second = second_of_day(rng.random(size))
    chosen = start[:-1] + (rng.random(size) * np.diff(start)).astype(np.int64)

    numbers = [f"O{n:06d}" for n in range(1, size + 1)]
    rows: list[tuple[int, int, str, list[list[str]]]] = []

    def add(number: str, of: int, day: int, second: int, *, picked: range, sign: int) -> None:
        who, when = identifiers[orders.customer[of]], timestamp(day, second)
        told = []
        for line in picked:
            name, category, _, _ = PRODUCTS[lines["product"][line]]
            quantity, price = sign * int(lines["quantity"][line]), int(lines["price"][line])
            told.append(
                [number, who, when, name, category, str(channel[of]), str(quantity), money(price),
                 money(quantity * price), CURRENCY]
            )  # fmt: skip
        rows.append((day, second, number, told))

    for n, number in enumerate(numbers):
        every = range(int(start[n]), int(start[n + 1]))
        add(number, n, int(orders.day[n]), int(orders.second[n]), picked=every, sign=1)
        if back[n]:
            picked = every if whole[n] else range(int(chosen[n]), int(chosen[n]) + 1)
            add("R" + number[1:], n, int(back_day[n]), int(back_second[n]), picked=picked, sign=-1)
    rows.sort(key=lambda row: row[:3])
    return [line for row in rows for line in row[3]], numbers, back


def timestamp(day: int, second: int) -> str:
    """Return a moment as text: a calendar day from 0 and a second of that day."""
    clock_face = time(second // 3600, second // 60 % 60, second % 60)
    return f"{FIRST_DAY + timedelta(days=day)} {clock_face}"


def money(cents: int) -> str:
    """Return an amount in cents as text with two decimals."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def acquisition(people: Population, joined: Array) -> Array:
    """Return the position in CHANNELS through which each contact came.

    Channels bring different customers: a referral stays longer and buys more often, a marketplace's
    customer seldom comes back. They are dealt out by what a customer is, so the population as a whole
    keeps the models' parameters.
    """
    rng = stream("channels")
    loyal = np.concatenate(
        [0.6 * ranks(people.rate) - 0.6 * ranks(people.dropout), rng.standard_normal(PROSPECTS)]
    ) + 0.5 * rng.standard_normal(CUSTOMERS + PROSPECTS)
    weights = np.stack([weight * np.exp(pull * loyal) for weight, pull, _, _ in CHANNELS.values()], axis=1)
    weights[joined < LAUNCH, list(CHANNELS).index("Marketplace")] = 0
    return draw(rng, weights)


def joining_days(people: Population) -> Array:
    """Return the day each contact signed up: on the first purchase or some days before it."""
    rng = stream("joining")
    waited = np.where(rng.random(CUSTOMERS) < 0.7, 0, rng.geometric(0.08, CUSTOMERS))
    never_bought = (DAYS * rng.beta(2.2, 1.0, PROSPECTS)).astype(np.int64)
    return np.concatenate([np.maximum(people.first_day - waited, 0), never_bought])


def contact_rows(
    people: Population, joined: Array, channel: Array, identifiers: list[str]
) -> tuple[list[list[str]], list[str]]:
    """Return the rows of contacts.csv by customer_id, and the language of each contact."""
    rng = stream("contacts")
    size = CUSTOMERS + PROSPECTS
    spend = np.concatenate([ranks(1 / people.spend_rate), rng.standard_normal(PROSPECTS)])
    often = np.concatenate([ranks(people.rate), rng.standard_normal(PROSPECTS)])

    income = np.rint(np.exp(12.81 + 0.717 * rng.standard_normal(size)) / 1000).astype(np.int64) * 1000
    income = by_rank(income, 0.5 * spend + rng.standard_normal(size))
    age = np.concatenate(
        [
            rng.uniform(18, 30, round(size * 0.29)),
            rng.triangular(30, 36, 60, round(size * 0.56)),
            rng.triangular(60, 62, 84, size - round(size * 0.29) - round(size * 0.56)),
        ]
    )
    age = by_rank(age, 0.35 * spend + 0.15 * often + rng.standard_normal(size))
    birth_known, age_known = rng.random(size) < 0.78, rng.random(size) < 0.45
    progress = (joined / DAYS)[:, None]
    early, late = (np.array([city[n] for city in CITIES]) for n in (3, 4))
    city = draw(rng, early * (1 - progress) + late * progress)
    written_in_chinese, city_known = rng.random(size) < 0.42, rng.random(size) < 0.98
    female, gender_known = rng.random(size) < 0.58, rng.random(size) < 0.94
    romanised = rng.random(size) < 0.22
    business = 0.45 * spend + rng.standard_normal(size) > 1.35
    phone_known, email_known = rng.random(size) < 0.9, rng.random(size) < 0.985
    income_known, cost_known = rng.random(size) < 0.9, rng.random(size) < 0.93
    cost_noise = np.exp(0.35 * rng.standard_normal(size) - 0.35**2 / 2)
    email_consent, phone_consent = rng.random(size) < 0.64, rng.random(size) < 0.37
    chinese_digits = rng.choice(10_000_000, size=size, replace=False)
    free_phones = {
        place: [f"{prefix}{n:0{digits}d}" for prefix, digits in ranges for n in rng.permutation(10**digits)]
        for place, ranges in FICTIONAL_PHONES.items()
    }

    rows: list[list[str]] = []
    languages: list[str] = []
    taken: set[str] = set()
    for n in range(size):
        place, place_zh, country, _, _ = CITIES[city[n]]
        gender = "female" if female[n] else "male"
        if country == "China":
            surname, given = pick(rng, SURNAMES_ZH), pick(rng, GIVEN_ZH[gender])
            (surname_zh, surname), (given_zh, given) = split_name(surname), split_name(given)
            name = f"{given} {surname}" if romanised[n] else surname_zh + given_zh
            digits = f"{chinese_digits[n]:07d}"
            # No Chinese number begins with 100 0: read as a mobile or as Beijing's area code, it is not one.
            phone = f"+86 100 0{digits[:3]} {digits[3:]}"
        else:
            german = country == "Germany"
            surname = pick(rng, SURNAMES_DE if german else SURNAMES_EN)
            given = pick(rng, (GIVEN_DE if german else GIVEN_EN)[gender])
            name, phone = f"{given} {surname}", free_phones[place].pop()
        languages.append("zh" if country == "China" and not romanised[n] else "en")
        company = ""
        if business[n]:
            company = (
                pick(rng, COMPANY_STEMS_ZH) + pick(rng, COMPANY_KINDS_ZH)
                if languages[n] == "zh"
                else f"{pick(rng, COMPANY_STEMS)} {pick(rng, COMPANY_KINDS)}"
            )
        email = ""
        if email_known[n]:
            local = f"{given}.{surname}".lower().replace("ü", "ue")
            while not email or email in taken:
                email = f"{local}{rng.integers(1, 1000)}@example.{'com' if rng.random() < 0.7 else 'org'}"
            taken.add(email)
        born = LAST_DAY - timedelta(days=int(age[n] * 365.25))
        _, _, mean_cost, inflation = CHANNELS[list(CHANNELS)[channel[n]]]
        cost = round(mean_cost * (1 + inflation * joined[n] / 365) * cost_noise[n] * 100)
        rows.append(
            [
                identifiers[n],
                name,
                company,
                email,
                phone if phone_known[n] else "",
                gender if gender_known[n] else "",
                str(born) if birth_known[n] else "",
                str(int(age[n])) if age_known[n] and not birth_known[n] else "",
                (place_zh if place_zh and written_in_chinese[n] else place) if city_known[n] else "",
                country,
                str(income[n]) if income_known[n] else "",
                list(CHANNELS)[channel[n]],
                money(cost) if cost_known[n] else "",
                str(FIRST_DAY + timedelta(days=int(joined[n]))),
                "yes" if email_consent[n] else "no",
                "yes" if phone_consent[n] else "no",
            ]
        )
    return sorted(rows), languages


def pick(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    """Return one of the words."""
    return choices[rng.integers(len(choices))]


def split_name(name: str) -> tuple[str, str]:
    """Return the Chinese and the romanised part of a name written as both in one."""
    latin = next(n for n, letter in enumerate(name) if letter.isascii())
    return name[:latin], name[latin:]


def response_rows(
    orders: Orders, numbers: list[str], back: Array, identifiers: list[str], languages: list[str]
) -> list[list[str]]:
    """Return the rows of responses.csv in order of time.

    Who leaves after a purchase, who sent something back and who waited for a late parcel is less content.
    """
    rng = stream("responses")
    size = len(orders.customer)
    talkative = rng.standard_normal(CUSTOMERS)[orders.customer]
    chance = 1 / (1 + np.exp(1.83 - 0.6 * talkative - 0.35 * back - 0.2 * orders.farewell))
    day = orders.day + rng.geometric(0.22, size)
    answers = np.flatnonzero((rng.random(size) < chance) & (day < DAYS))
    late = (orders.day >= LATE_PARCELS[0]) & (orders.day < LATE_PARCELS[1])
    mood = rng.standard_normal(CUSTOMERS)[orders.customer]
    content = (
        8.75 + 0.8 * mood + 1.3 * rng.standard_normal(size) - 1.5 * orders.farewell - 1.4 * back - 1.3 * late
    )
    score = np.clip(np.rint(content), 0, 10).astype(np.int64)
    wordless, scoreless = rng.random(size) < 0.34, rng.random(size) < 0.12
    second = second_of_day(rng.random(size))

    rows: list[list[str]] = []
    for n in sorted(answers, key=lambda n: (day[n], second[n], n)):
        who = orders.customer[n]
        tone = "good" if score[n] >= 9 else "fair" if score[n] >= 7 else "bad"
        rows.append(
            [
                f"A{len(rows) + 1:05d}",
                identifiers[who],
                numbers[n],
                timestamp(int(day[n]), int(second[n])),
                "" if wordless[n] else pick(rng, FEEDBACK[languages[who], tone]),
                "" if scoreless[n] and not wordless[n] else str(score[n]),
            ]
        )
    return rows


CONTACT_HEADER = words(
    "customer_id name company email phone gender birth_date age city country annual_income channel "
    "acquisition_cost joined_on email_consent phone_consent"
)
ORDER_HEADER = words(
    "order_id customer_id order_date product category channel quantity unit_price amount currency"
)
RESPONSE_HEADER = words("response_id customer_id order_id response_date feedback recommendation")


def write_table(path: Path, header: tuple[str, ...], rows: list[list[str]]) -> None:
    """Write a gzipped CSV file that holds neither its name nor the time, so the same rows give the same bytes."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(text.getvalue().encode())


def write(folder: Path) -> dict[str, Any]:
    """Write contacts.csv.gz, orders.csv.gz, responses.csv.gz and truth.json to `folder`; return the truth."""
    intensity = daily_intensity()
    passed = clock(intensity)
    people = make_population(intensity)
    joined = joining_days(people)
    channel = acquisition(people, joined)
    place = np.argsort(np.argsort(joined, kind="stable"), kind="stable")
    identifiers = [f"C{n + 1:05d}" for n in place]  # numbered as they joined

    orders, alive = make_purchases(people, passed, channel)
    contacts, languages = contact_rows(people, joined, channel, identifiers)
    order_lines, numbers, back = order_rows(orders, make_lines(orders), identifiers)
    responses = response_rows(orders, numbers, back, identifiers, languages)

    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "contacts.csv.gz", CONTACT_HEADER, contacts)
    write_table(folder / "orders.csv.gz", ORDER_HEADER, order_lines)
    write_table(folder / "responses.csv.gz", RESPONSE_HEADER, responses)

    cents = [int(line[8].replace(".", "")) for line in order_lines]
    purchased = sum(int(total) for total in orders.cents)
    rate, dropout = people.rate[alive], people.dropout[alive]
    next_year = ((1 - np.exp(-rate * dropout * 52)) / dropout).sum()
    truth: dict[str, Any] = {
        "seed": SEED,
        "unit": "week",
        "first_day": order_lines[0][2][:10],
        "last_day": order_lines[-1][2][:10],
        "currency": CURRENCY,
        "bg_nbd": {"r": R, "alpha": ALPHA, "a": A, "b": B},
        "gamma_gamma": {"p": P, "q": Q, "v": V},
        "meaning": {
            "r": "shape of the Gamma distribution of purchase rates over customers",
            "alpha": "rate of that distribution, in weeks: r / alpha purchase days per week on average",
            "a": "first shape of the Beta distribution of the chance to leave after a repeat purchase",
            "b": "second shape of that distribution: a / (a + b) on average",
            "p": "shape of the Gamma distribution of a customer's purchase totals",
            "q": "shape of the Gamma distribution of those distributions' rates over customers",
            "v": "rate of that distribution, in CNY: p v / (q - 1) CNY per purchase on average",
        },
        "clock": (
            "The purchase process runs in operational weeks: weeks in which the shop is equally busy all the "
            "time. Calendar time is bent by the season, the weekday and the hour; every year from July to "
            "June holds as many operational as calendar weeks. One event of the process is one purchase day."
        ),
        "operational_weeks_at_month_start": {
            str(month): round(float(passed[(month - FIRST_DAY).days]), 4) for month in month_starts()
        },
        "counts": {
            "contacts": len(contacts),
            "prospects": PROSPECTS,
            "customers": len(np.unique(orders.customer)),
            "orders": len({line[0] for line in order_lines}),
            "purchases": len(numbers),
            "returns": int(back.sum()),
            "purchase_days": len(np.unique(orders.customer * DAYS + orders.day)),
            "order_lines": len(order_lines),
            "responses": len(responses),
            "feedback_answers": sum(row[4] != "" for row in responses),
            "recommendation_answers": sum(row[5] != "" for row in responses),
        },
        "revenue": money(sum(cents)),
        "purchased": money(purchased),
        "returned": money(sum(cents) - purchased),
        "customers_alive_at_end": int(alive.sum()),
        "expected_purchase_days_next_52_weeks": round(float(next_year), 1),
    }
    text = json.dumps(truth, indent=2, ensure_ascii=False) + "\n"
    (folder / "truth.json").write_bytes(text.encode())
    return truth


def month_starts() -> list[date]:
    """Return the first day of every month of the three years."""
    return [date(2023 + n // 12, n % 12 + 1, 1) for n in range(6, 42)]


if __name__ == "__main__":
    told = write(Path(__file__).resolve().parent)
    print(json.dumps({"counts": told["counts"], "revenue": told["revenue"]}, indent=2))
