"""Words of customer lists in many languages, and tables made of them in any size."""

import random

PEOPLE = {
    "German": "Jürgen Müller|Käthe Schröder|Günther Weiß|Anna Schäfer|Jörg Köhler|Sabine Krüger|Björn Groß|Heike Böhm|Ulrich Jäger|Petra Lang",
    "French": "François Lefèvre|Élodie Moreau|Jérôme Garçon|Zoé Béranger|André Dupré|Renée Lacôte|Benoît Fournier|Hélène Girard|Anaïs Noël|Luc Petit",
    "Spanish": "José Núñez|María Peña|Íñigo Ibáñez|Ángel Martínez|Begoña Muñoz|Raúl Gutiérrez|Lucía Díaz|Andrés Cañas|Óscar Román|Ana Gil",
    "Portuguese": "João Conceição|Inês Simões|António Magalhães|Cátia Gonçalves|Luís Falcão|Conceição Araújo|Márcio Brandão|Ana Leitão",
    "Swedish": "Åke Sjöberg|Märta Öberg|Göran Lindström|Åsa Nyström|Björn Hägg|Pär Åkesson|Eva Berg|Jörgen Löfgren",
    "Danish": "Søren Kjær|Mærsk Jørgensen|Åse Nørgaard|Bjørn Østergaard|Kåre Sørensen|Ane Brødsgaard|Jens Holm",
    "Chinese": "王小明|李红梅|张伟|刘洋|陈静|杨丽娟|赵磊|黄志强|周建国|吴秀英|徐佳怡|孙浩然|马子轩|朱雨桐|胡文博",
    "Traditional": "陳志明|林淑芬|黃雅婷|張家豪|李美玲|王俊傑|吳怡君|劉建宏|蔡宗翰|楊雅雯|許文雄|鄭麗華|謝承恩|郭榮春",
    "Japanese": "佐藤花子|鈴木一郎|高橋ユウキ|田中まこと|伊藤さくら|渡辺健太|山本美咲|中村 翔|小林エミ|加藤陽菜",
    "Russian": "Анна Иванова|Пётр Смирнов|Ольга Кузнецова|Дмитрий Соколов|Екатерина Попова|Сергей Лебедев|Наталья Козлова|Юрий Щербаков",
    "Ukrainian": "Олена Шевченко|Андрій Коваль|Юлія Бондаренко|Іван Ткаченко|Наталія Кравчук|Євген Олійник|Марія Гнатюк|Сергій Їжак",
    "Bulgarian": "Георги Димитров|Мария Иванова|Иван Петров|Елена Стоянова|Христо Ангелов|Десислава Колева|Тодор Тодоров",
}  # fmt: skip
PLACES = {
    "German": "Köln|München|Düsseldorf|Saarbrücken|Göttingen|Nürnberg|Bonn|Würzburg|Großenhain|Berlin",
    "French": "Besançon|Orléans|Saint-Étienne|Angoulême|Nîmes|Béziers|Lyon|Évreux|Châlons|Alès",
    "Spanish": "Málaga|Cádiz|Logroño|A Coruña|Castellón|Jaén|Madrid|León|Córdoba|Mérida",
    "Portuguese": "São Paulo|Brasília|Évora|Guimarães|Lisboa|Setúbal|Goiânia|Maceió",
    "Swedish": "Göteborg|Malmö|Västerås|Örebro|Växjö|Umeå|Östersund|Stockholm",
    "Danish": "København|Århus|Sønderborg|Køge|Nykøbing|Ærø|Odense|Helsingør",
    "Chinese": "北京市朝阳区|上海市浦东新区|广州市天河区|深圳市南山区|成都市武侯区|杭州市西湖区|武汉市洪山区|西安市雁塔区",
    "Traditional": "台北市信義區|新北市板橋區|桃園市中壢區|台中市西屯區|台南市東區|高雄市左營區|新竹縣竹北市|花蓮縣吉安鄉",
    "Japanese": "東京都新宿区|大阪府大阪市北区|北海道札幌市|神奈川県横浜市|愛知県名古屋市|福岡県福岡市|京都府京都市|兵庫県神戸市",
    "Russian": "Москва|Санкт-Петербург|Казань|Нижний Новгород|Екатеринбург|Тула|Самара|Ярославль",
    "Ukrainian": "Київ|Харків|Львів|Одеса|Дніпро|Запоріжжя|Вінниця|Чернівці",
    "Bulgarian": "София|Пловдив|Варна|Бургас|Русе|Стара Загора|Плевен|Велико Търново",
}
REMARKS = {
    "German": "Lieferung früh bestätigt|möchte nur nachmittags angerufen werden|Rechnung per Post|ältere Kundin, zahlt bar",
    "French": "livré à l'étage|préfère être rappelée l'après-midi|client fidèle depuis 2019|facture envoyée",
    "Spanish": "entrega por la mañana|prefiere que le llamen después|cliente desde hace años|envío rápido",
    "Portuguese": "entrega à tarde|não telefonar de manhã|cliente há três anos|endereço alterado",
    "Swedish": "ring på eftermiddagen|betalar kontant|levererad i går|gammal kund",
    "Danish": "ønsker levering på lørdag|betalt med kort|ringer først|gammel kunde på Sjælland",
    "Chinese": "已付款，请尽快发货|老客户，购买三次|需要开发票|周末送货，提前电话联系",
    "Traditional": "已付款，請儘快出貨|老客戶，購買三次|需要統一編號|週末送貨，請先電話聯絡",
    "Japanese": "午後に配達をお願いします|領収書が必要です|常連のお客様|電話は夕方のみ",
    "Russian": "доставка после обеда|постоянный клиент|просил перезвонить вечером|оплачено картой",
    "Ukrainian": "доставка після обіду|постійний клієнт|просив передзвонити|сплачено карткою",
    "Bulgarian": "доставка след обяд|постоянен клиент|платено с карта|да се обади вечерта",
}
HEADINGS = {
    "German": ("Kundennummer", "Name", "Ort", "Betrag", "Bemerkung"),
    "French": ("numéro", "nom", "ville", "montant", "remarque"),
    "Spanish": ("número", "nombre", "ciudad", "importe", "observación"),
    "Portuguese": ("número", "nome", "cidade", "valor", "observação"),
    "Swedish": ("kundnummer", "namn", "ort", "belopp", "anmärkning"),
    "Danish": ("kundenummer", "navn", "by", "beløb", "bemærkning"),
    "Chinese": ("客户编号", "姓名", "城市", "金额", "备注"),
    "Traditional": ("客戶編號", "姓名", "城市", "金額", "備註"),
    "Japanese": ("顧客番号", "氏名", "住所", "金額", "備考"),
    "Russian": ("номер", "имя", "город", "сумма", "примечание"),
    "Ukrainian": ("номер", "ім'я", "місто", "сума", "примітка"),
    "Bulgarian": ("номер", "име", "град", "сума", "бележка"),
}


def customers(language: str, size: int, seed: int) -> str:
    """Return a table of customers in a language, of about `size` characters."""
    rng = random.Random(f"{language} {size} {seed}")
    columns = rng.choice(((0, 1, 2, 3, 4), (0, 1, 3), (0, 1, 2), (0, 2, 4)))
    delimiter = rng.choice((",", ";", "\t"))
    end = rng.choice(("\n", "\r\n"))
    lines = [delimiter.join(HEADINGS[language][column] for column in columns)]
    length = len(lines[0])
    while length < size:
        cells = (
            f"K{rng.randrange(100_000):05}",
            rng.choice(PEOPLE[language].split("|")),
            rng.choice(PLACES[language].split("|")),
            f"{rng.randrange(100_000) / 100:.2f}",
            '"' + rng.choice(REMARKS[language].split("|")) + '"',
        )
        lines.append(delimiter.join(cells[column] for column in columns))
        length += len(lines[-1])
    return end.join(lines) + end
