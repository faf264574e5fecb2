"""Countries by code and name, to know where a telephone number without a country code is at home.

Names are those of Unicode's CLDR 48 in English, Chinese, German, French, Spanish, Italian, Portuguese, Dutch and
the country's own languages, the ISO 3166-1 alpha-3 codes, and what people write besides (UK, Holland).
"""

import unicodedata
from functools import cache

from crm.errors import InvalidValue

_NOT_GIVEN = ("na", "n/a")


def country_of(text: str) -> str | None:
    """Return the ISO 3166-1 alpha-2 code of the country that a code or a name says, or None.

    Case, accents and signs do not matter. `NA` means nothing is given far more often than Namibia, which is
    told by its name or `NAM`.
    """
    if text.strip().casefold() in _NOT_GIVEN:
        return None
    return _by_name().get(_plain(text))


def checked_country(text: str) -> str:
    """Return the alpha-2 code of a country. Raises InvalidValue for what is none."""
    found = country_of(text) or ("NA" if text.strip().upper() == "NA" else None)
    if found is None:
        raise InvalidValue(
            f"There is no country “{text}”.", "Give its ISO code of two letters, such as DE, GB or CN."
        )
    return found


@cache
def _by_name() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _COUNTRIES.strip().splitlines():
        code, *names = line.split("|")
        found[code.casefold()] = code
        found.update(dict.fromkeys(names, code))
    return found


def _plain(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.casefold())
    bare = unicodedata.normalize("NFKC", "".join(sign for sign in apart if not unicodedata.combining(sign)))
    return " ".join("".join(sign if sign.isalnum() else " " for sign in bare).split())


_COUNTRIES = """
AC|ascension island|阿森松岛|ascension|ile de l ascension|isla de la ascension|isola ascensione|ilha de ascensao
AD|and|andorra|安道尔|andorre|principality of andorra
AE|are|united arab emirates|阿拉伯联合酋长国|vereinigte arabische emirate|emirats arabes unis|emiratos arabes unidos|emirati arabi uniti|emirados arabes unidos|verenigde arabische emiraten|الامارات العربية المتحدة|uae|u a e|阿联酋
AF|afg|afghanistan|阿富汗|afganistan|afeganistao|islamic republic of afghanistan|افغانستان
AG|atg|antigua barbuda|安提瓜和巴布达|antigua und barbuda|antigua et barbuda|antigua y barbuda|antigua e barbuda|antigua en barbuda|antigua and barbuda
AI|aia|anguilla|安圭拉|anguila
AL|alb|albania|阿尔巴尼亚|albanien|albanie|republic of albania|shqiperi
AM|arm|armenia|亚美尼亚|armenien|armenie|republic of armenia|հայաստան
AO|ago|angola|安哥拉|republic of angola
AR|arg|argentina|阿根廷|argentinien|argentine|argentinie|argentine republic
AS|asm|american samoa|美属萨摩亚|amerikanisch samoa|samoa americaines|samoa americana|samoa americane|amerikaans samoa
AT|aut|austria|奥地利|osterreich|autriche|oostenrijk|republic of austria
AU|aus|australia|澳大利亚|australien|australie
AW|abw|aruba|阿鲁巴
AX|ala|aland islands|奥兰群岛|alandinseln|iles aland|islas aland|isole aland|ilhas aland|aland
AZ|aze|azerbaijan|阿塞拜疆|aserbaidschan|azerbaidjan|azerbaiyan|azerbaigian|azerbaijao|azerbeidzjan|republic of azerbaijan|azərbaycan|азәрбајҹан
BA|bih|bosnia herzegovina|波斯尼亚和黑塞哥维那|bosnien und herzegowina|bosnie herzegovine|bosnia y herzegovina|bosnia ed erzegovina|bosnia e herzegovina|bosnie en herzegovina|bosnia and herzegovina|republic of bosnia and herzegovina|bosna i hercegovina|босна и херцеговина
BB|brb|barbados|巴巴多斯|barbade
BD|bgd|bangladesh|孟加拉国|bangladesch|banglades|people s republic of bangladesh|ব ল দ শ
BE|bel|belgium|比利时|belgien|belgique|belgica|belgio|belgie|kingdom of belgium
BF|bfa|burkina faso|布基纳法索|burquina faso
BG|bgr|bulgaria|保加利亚|bulgarien|bulgarie|bulgarije|republic of bulgaria|българия
BH|bhr|bahrain|巴林|bahrein|barein|kingdom of bahrain|البحرين
BI|bdi|burundi|布隆迪|republic of burundi|uburundi
BJ|ben|benin|贝宁|republic of benin
BL|blm|st barthelemy|圣巴泰勒米|saint barthelemy|san bartolome|sao bartolomeu
BM|bmu|bermuda|百慕大|bermudes|bermudas
BN|brn|brunei|文莱|brunei darussalam|بروني
BO|bol|bolivia|玻利维亚|bolivien|bolivie|bolivia plurinational state of|plurinational state of bolivia
BQ|bes|caribbean netherlands|荷属加勒比区|karibische niederlande|pays bas caribeens|caribe neerlandes|caraibi olandesi|paises baixos caribenhos|caribisch nederland|bonaire sint eustatius and saba
BR|bra|brazil|巴西|brasilien|bresil|brasil|brasile|brazilie|federative republic of brazil
BS|bhs|bahamas|巴哈马|bahama s|commonwealth of the bahamas
BT|btn|bhutan|不丹|bhoutan|butan|butao|kingdom of bhutan|འབ ག
BW|bwa|botswana|博茨瓦纳|botsuana|republic of botswana
BY|blr|belarus|白俄罗斯|bielorussie|bielorrusia|bielorussia|bielorrussia|republic of belarus|беларусь
BZ|blz|belize|伯利兹|belice
CA|can|canada|加拿大|kanada
CC|cck|cocos keeling islands|科科斯 基林 群岛|kokosinseln|iles cocos|islas cocos|isole cocos keeling|ilhas cocos keeling|cocoseilanden
CD|cod|congo kinshasa|刚果 金|kongo kinshasa|republica democratica del congo|congo the democratic republic of the|dr congo|democratic republic of the congo
CF|caf|central african republic|中非共和国|zentralafrikanische republik|republique centrafricaine|republica centroafricana|repubblica centrafricana|republica centro africana|centraal afrikaanse republiek|kodorosese ti beafrika
CG|cog|congo brazzaville|刚果 布|kongo brazzaville|congo|republica do congo|republic of the congo
CH|che|switzerland|瑞士|schweiz|suisse|suiza|svizzera|suica|zwitserland|swiss confederation|schwiiz
CI|civ|cote d ivoire|科特迪瓦|costa d avorio|costa do marfim|ivoorkust|republic of cote d ivoire|ivory coast
CK|cok|cook islands|库克群岛|cookinseln|iles cook|islas cook|isole cook|ilhas cook|cookeilanden
CL|chl|chile|智利|chili|cile|republic of chile
CM|cmr|cameroon|喀麦隆|kamerun|cameroun|camerun|camaroes|kameroen|republic of cameroon
CN|chn|china|中国|chine|cina|people s republic of china|prc|p r china|mainland china|中国大陆|中华人民共和国|中國
CO|col|colombia|哥伦比亚|kolumbien|colombie|republic of colombia
CR|cri|costa rica|哥斯达黎加|republic of costa rica
CU|cub|cuba|古巴|kuba|republic of cuba
CV|cpv|cape verde|佛得角|cabo verde|cap vert|capo verde|kaapverdie|republic of cabo verde
CW|cuw|curacao|库拉索|curazao|korsou
CX|cxr|christmas island|圣诞岛|weihnachtsinsel|ile christmas|isla de navidad|isola christmas|ilha christmas|christmaseiland
CY|cyp|cyprus|塞浦路斯|zypern|chypre|chipre|cipro|republic of cyprus|κυπροσ|kıbrıs
CZ|cze|czechia|捷克|tschechien|tchequie|chequia|cechia|tchequia|tsjechie|czech republic|cesko|捷克共和国
DE|deu|germany|德国|deutschland|allemagne|alemania|germania|alemanha|duitsland|federal republic of germany
DJ|dji|djibouti|吉布提|dschibuti|yibuti|gibuti|djibuti|republic of djibouti|جيبوتي
DK|dnk|denmark|丹麦|danemark|dinamarca|danimarca|denemarken|kingdom of denmark|danmark
DM|dma|dominica|多米尼克|dominique|commonwealth of dominica
DO|dom|dominican republic|多米尼加共和国|dominikanische republik|republique dominicaine|republica dominicana|repubblica dominicana|dominicaanse republiek
DZ|dza|algeria|阿尔及利亚|algerien|algerie|argelia|algerije|people s democratic republic of algeria|الجزاير
EC|ecu|ecuador|厄瓜多尔|equateur|equador|republic of ecuador
EE|est|estonia|爱沙尼亚|estland|estonie|republic of estonia|eesti
EG|egy|egypt|埃及|agypten|egypte|egipto|egitto|egito|arab republic of egypt|مصر
EH|esh|western sahara|西撒哈拉|westsahara|sahara occidental|sahara occidentale|saara ocidental|westelijke sahara|الصحراء الغربية
ER|eri|eritrea|厄立特里亚|erythree|eritreia|the state of eritrea|ኤርትራ|اريتريا
ES|esp|spain|西班牙|spanien|espagne|espana|spagna|espanha|spanje|kingdom of spain
ET|eth|ethiopia|埃塞俄比亚|athiopien|ethiopie|etiopia|federal democratic republic of ethiopia|ኢትዮጵያ
FI|fin|finland|芬兰|finnland|finlande|finlandia|republic of finland|suomi
FJ|fji|fiji|斐济|fidschi|fidji|fiyi|figi|republic of fiji
FK|flk|falkland islands|福克兰群岛|falklandinseln|iles malouines|islas malvinas|isole falkland|ilhas malvinas|falklandeilanden|falkland islands malvinas
FM|fsm|micronesia|密克罗尼西亚|mikronesien|micronesie|micronesia federated states of|federated states of micronesia
FO|fro|faroe islands|法罗群岛|faroer|iles feroe|islas feroe|isole fær øer|ilhas faroe|faeroer|føroyar
FR|fra|france|法国|frankreich|francia|franca|frankrijk|french republic
GA|gab|gabon|加蓬|gabun|gabao|gabonese republic
GB|gbr|united kingdom|英国|vereinigtes konigreich|royaume uni|reino unido|regno unito|verenigd koninkrijk|united kingdom of great britain and northern ireland|uk|u k|great britain|britain|england|scotland|wales|northern ireland|英格兰
GD|grd|grenada|格林纳达|grenade|granada
GE|geo|georgia|格鲁吉亚|georgien|georgie|საქართველო
GF|guf|french guiana|法属圭亚那|franzosisch guayana|guyane francaise|guayana francesa|guyana francese|guiana francesa|frans guyana
GG|ggy|guernsey|根西岛|guernesey
GH|gha|ghana|加纳|gana|republic of ghana
GI|gib|gibraltar|直布罗陀|gibilterra
GL|grl|greenland|格陵兰|gronland|groenland|groenlandia|kalaallit nunaat
GM|gmb|gambia|冈比亚|gambie|republic of the gambia
GN|gin|guinea|几内亚|guinee|guine|republic of guinea
GP|glp|guadeloupe|瓜德罗普|guadalupe|guadalupa
GQ|gnq|equatorial guinea|赤道几内亚|aquatorialguinea|guinee equatoriale|guinea ecuatorial|guinea equatoriale|guine equatorial|equatoriaal guinea|republic of equatorial guinea
GR|grc|greece|希腊|griechenland|grece|grecia|griekenland|hellenic republic|ελλαδα
GT|gtm|guatemala|危地马拉|republic of guatemala
GU|gum|guam|关岛
GW|gnb|guinea bissau|几内亚比绍|guinee bissau|guinea bisau|guine bissau|republic of guinea bissau
GY|guy|guyana|圭亚那|guiana|republic of guyana
HK|hkg|hong kong sar china|中国香港特别行政区|sonderverwaltungsregion hongkong|r a s chinoise de hong kong|rae de hong kong china|ras di hong kong|hong kong rae da china|hongkong sar van china|hong kong|hong kong special administrative region of china|中國香港特別行政區|香港|hong kong sar
HN|hnd|honduras|洪都拉斯|republic of honduras
HR|hrv|croatia|克罗地亚|kroatien|croatie|croacia|croazia|kroatie|republic of croatia|hrvatska
HT|hti|haiti|海地|republic of haiti
HU|hun|hungary|匈牙利|ungarn|hongrie|hungria|ungheria|hongarije|magyarorszag
ID|idn|indonesia|印度尼西亚|indonesien|indonesie|republic of indonesia
IE|irl|ireland|爱尔兰|irland|irlande|irlanda|ierland|eire|republic of ireland
IL|isr|israel|以色列|israele|state of israel|ישראל|اسراييل
IM|imn|isle of man|马恩岛|ile de man|isla de man|isola di man|ilha de man|ellan vannin
IN|ind|india|印度|indien|inde|republic of india|भ रत
IO|iot|british indian ocean territory|英属印度洋领地|britisches territorium im indischen ozean|territoire britannique de l ocean indien|territorio britanico del oceano indico|territorio britannico dell oceano indiano|territorio britanico do oceano indico|brits indische oceaanterritorium
IQ|irq|iraq|伊拉克|irak|iraque|republic of iraq|العراق
IR|irn|iran|伊朗|ira|iran islamic republic of|islamic republic of iran|ایران
IS|isl|iceland|冰岛|island|islande|islandia|islanda|ijsland|republic of iceland
IT|ita|italy|意大利|italien|italie|italia|italian republic
JE|jey|jersey|泽西岛
JM|jam|jamaica|牙买加|jamaika|jamaique|giamaica
JO|jor|jordan|约旦|jordanien|jordanie|jordania|giordania|hashemite kingdom of jordan|الاردن
JP|jpn|japan|日本|japon|giappone|japao
KE|ken|kenya|肯尼亚|kenia|quenia|republic of kenya
KG|kgz|kyrgyzstan|吉尔吉斯斯坦|kirgisistan|kirghizstan|kirguistan|kirghizistan|quirguistao|kirgizie|kyrgyz republic|кыргызстан|киргизия
KH|khm|cambodia|柬埔寨|kambodscha|cambodge|camboya|cambogia|camboja|cambodja|kingdom of cambodia|កមព ជ
KI|kir|kiribati|基里巴斯|quiribati|republic of kiribati
KM|com|comoros|科摩罗|komoren|comores|comoras|comore|comoren|union of the comoros|جزر القمر
KN|kna|st kitts nevis|圣基茨和尼维斯|st kitts und nevis|saint christophe et nieves|san cristobal y nieves|saint kitts e nevis|sao cristovao e nevis|saint kitts en nevis|saint kitts and nevis
KP|prk|north korea|朝鲜|nordkorea|coree du nord|corea del norte|corea del nord|coreia do norte|noord korea|korea democratic people s republic of|democratic people s republic of korea|북한|dprk
KR|kor|south korea|韩国|sudkorea|coree du sud|corea del sur|corea del sud|coreia do sul|zuid korea|korea republic of|대한민국|korea|republic of korea
KW|kwt|kuwait|科威特|koweit|koeweit|state of kuwait|الكويت
KY|cym|cayman islands|开曼群岛|kaimaninseln|iles caimans|islas caiman|isole cayman|ilhas cayman|kaaimaneilanden
KZ|kaz|kazakhstan|哈萨克斯坦|kasachstan|kazajistan|kazakistan|cazaquistao|kazachstan|republic of kazakhstan|казахстан|қазақстан
LA|lao|laos|老挝|lao people s democratic republic|ລາວ
LB|lbn|lebanon|黎巴嫩|libanon|liban|libano|lebanese republic|لبنان
LC|lca|st lucia|圣卢西亚|sainte lucie|santa lucia|saint lucia
LI|lie|liechtenstein|列支敦士登|principality of liechtenstein|liachteschtai
LK|lka|sri lanka|斯里兰卡|democratic socialist republic of sri lanka|ශ ර ල ක ව|இலஙக
LR|lbr|liberia|利比里亚|republic of liberia
LS|lso|lesotho|莱索托|lesoto|kingdom of lesotho
LT|ltu|lithuania|立陶宛|litauen|lituanie|lituania|litouwen|republic of lithuania|lietuva
LU|lux|luxembourg|卢森堡|luxemburg|luxemburgo|lussemburgo|grand duchy of luxembourg|letzebuerg
LV|lva|latvia|拉脱维亚|lettland|lettonie|letonia|lettonia|letland|republic of latvia|latvija
LY|lby|libya|利比亚|libyen|libye|libia|libie|ليبيا
MA|mar|morocco|摩洛哥|marokko|maroc|marruecos|marocco|marrocos|kingdom of morocco|المغرب|merruk
MC|mco|monaco|摩纳哥|principality of monaco
MD|mda|moldova|摩尔多瓦|republik moldau|moldavie|moldavia|moldova republic of|republic of moldova|republica moldova
ME|mne|montenegro|黑山|crna gora
MF|maf|st martin|法属圣马丁|saint martin|san martin|sao martinho|saint martin french part
MG|mdg|madagascar|马达加斯加|madagaskar|republic of madagascar|madagasikara
MH|mhl|marshall islands|马绍尔群岛|marshallinseln|iles marshall|islas marshall|isole marshall|ilhas marshall|marshalleilanden|republic of the marshall islands
MK|mkd|north macedonia|北马其顿|nordmazedonien|macedoine du nord|macedonia del norte|macedonia del nord|macedonia do norte|noord macedonie|republic of north macedonia|северна македонија|macedonia
ML|mli|mali|马里|republic of mali
MM|mmr|myanmar burma|缅甸|myanmar|myanmar birmanie|myanmar birmania|mianmar birmania|myanmar birma|republic of myanmar|မ နမ|burma
MN|mng|mongolia|蒙古|mongolei|mongolie|монгол
MO|mac|macao sar china|中国澳门特别行政区|sonderverwaltungsregion macau|r a s chinoise de macao|rae de macao china|ras di macao|macau rae da china|macau sar van china|macao|macao special administrative region of china|中國澳門特別行政區|macau|澳门
MP|mnp|northern mariana islands|北马里亚纳群岛|nordliche marianen|iles mariannes du nord|islas marianas del norte|isole marianne settentrionali|ilhas marianas do norte|noordelijke marianen|commonwealth of the northern mariana islands
MQ|mtq|martinique|马提尼克|martinica
MR|mrt|mauritania|毛里塔尼亚|mauretanien|mauritanie|islamic republic of mauritania|موريتانيا
MS|msr|montserrat|蒙特塞拉特
MT|mlt|malta|马耳他|malte|republic of malta
MU|mus|mauritius|毛里求斯|maurice|mauricio|republic of mauritius
MV|mdv|maldives|马尔代夫|malediven|maldivas|maldive|maldiven|republic of maldives|ދ ވ ހ ރ އ ޖ
MW|mwi|malawi|马拉维|malaui|republic of malawi
MX|mex|mexico|墨西哥|mexiko|mexique|messico|united mexican states
MY|mys|malaysia|马来西亚|malaisie|malasia|maleisie
MZ|moz|mozambique|莫桑比克|mosambik|mozambico|mocambique|republic of mozambique
NA|nam|namibia|纳米比亚|namibie|republic of namibia
NC|ncl|new caledonia|新喀里多尼亚|neukaledonien|nouvelle caledonie|nueva caledonia|nuova caledonia|nova caledonia|nieuw caledonie
NE|ner|niger|尼日尔|republic of the niger
NF|nfk|norfolk island|诺福克岛|norfolkinsel|ile norfolk|isla norfolk|isola norfolk|ilha norfolk|norfolk
NG|nga|nigeria|尼日利亚|federal republic of nigeria|naijiria
NI|nic|nicaragua|尼加拉瓜|republic of nicaragua
NL|nld|netherlands|荷兰|niederlande|pays bas|paises bajos|paesi bassi|paises baixos|nederland|kingdom of the netherlands|holland|the netherlands
NO|nor|norway|挪威|norwegen|norvege|noruega|norvegia|noorwegen|kingdom of norway|norge|noreg
NP|npl|nepal|尼泊尔|federal democratic republic of nepal|न प ल
NR|nru|nauru|瑙鲁|republic of nauru
NU|niu|niue|纽埃
NZ|nzl|new zealand|新西兰|neuseeland|nouvelle zelande|nueva zelanda|nuova zelanda|nova zelandia|nieuw zeeland|aotearoa
OM|omn|oman|阿曼|oma|sultanate of oman|عمان
PA|pan|panama|巴拿马|republic of panama
PE|per|peru|秘鲁|perou|republic of peru
PF|pyf|french polynesia|法属波利尼西亚|franzosisch polynesien|polynesie francaise|polinesia francesa|polinesia francese|frans polynesie
PG|png|papua new guinea|巴布亚新几内亚|papua neuguinea|papouasie nouvelle guinee|papua nueva guinea|papua nuova guinea|papua nova guine|papoea nieuw guinea|independent state of papua new guinea|papua niugini
PH|phl|philippines|菲律宾|philippinen|filipinas|filippine|filipijnen|republic of the philippines|pilipinas
PK|pak|pakistan|巴基斯坦|paquistao|islamic republic of pakistan|پاکستان
PL|pol|poland|波兰|polen|pologne|polonia|republic of poland|polska
PM|spm|st pierre miquelon|圣皮埃尔和密克隆群岛|st pierre und miquelon|saint pierre et miquelon|san pedro y miquelon|saint pierre e miquelon|sao pedro e miquelao|saint pierre en miquelon|saint pierre and miquelon
PR|pri|puerto rico|波多黎各|porto rico|portorico
PS|pse|palestinian territories|巴勒斯坦领土|palastinensische autonomiegebiete|territoires palestiniens|territorios palestinos|territori palestinesi|palestijnse gebieden|palestine state of|the state of palestine|الاراضي الفلسطينية
PT|prt|portugal|葡萄牙|portogallo|portuguese republic
PW|plw|palau|帕劳|palaos|republic of palau
PY|pry|paraguay|巴拉圭|paraguai|republic of paraguay
QA|qat|qatar|卡塔尔|katar|catar|state of qatar|قطر
RE|reu|reunion|留尼汪|la reunion|riunione|reuniao
RO|rou|romania|罗马尼亚|rumanien|roumanie|rumania|romenia|roemenie
RS|srb|serbia|塞尔维亚|serbien|serbie|servia|servie|republic of serbia|србија|srbija
RU|rus|russia|俄罗斯|russland|russie|rusia|rusland|russian federation|россия|俄罗斯联邦
RW|rwa|rwanda|卢旺达|ruanda|rwandese republic|u rwanda
SA|sau|saudi arabia|沙特阿拉伯|saudi arabien|arabie saoudite|arabia saudi|arabia saudita|saoedi arabie|kingdom of saudi arabia|المملكة العربية السعودية
SB|slb|solomon islands|所罗门群岛|salomonen|iles salomon|islas salomon|isole salomone|ilhas salomao|salomonseilanden
SC|syc|seychelles|塞舌尔|seychellen|seicheles|republic of seychelles
SD|sdn|sudan|苏丹|soudan|sudao|soedan|republic of the sudan|السودان
SE|swe|sweden|瑞典|schweden|suede|suecia|svezia|zweden|kingdom of sweden|sverige
SG|sgp|singapore|新加坡|singapur|singapour|singapura|republic of singapore|ச ஙகபப ர
SH|shn|st helena|圣赫勒拿|sainte helene|santa elena|sant elena|santa helena|sint helena|saint helena ascension and tristan da cunha
SI|svn|slovenia|斯洛文尼亚|slowenien|slovenie|eslovenia|republic of slovenia|slovenija
SJ|sjm|svalbard jan mayen|斯瓦尔巴和扬马延|spitzbergen und jan mayen|svalbard et jan mayen|svalbard y jan mayen|svalbard e jan mayen|spitsbergen en jan mayen|svalbard and jan mayen|svalbard og jan mayen
SK|svk|slovakia|斯洛伐克|slowakei|slovaquie|eslovaquia|slovacchia|slowakije|slovak republic|slovensko
SL|sle|sierra leone|塞拉利昂|sierra leona|serra leoa|republic of sierra leone
SM|smr|san marino|圣马力诺|saint marin|republic of san marino
SN|sen|senegal|塞内加尔|republic of senegal|senegaal
SO|som|somalia|索马里|somalie|federal republic of somalia|soomaaliya|الصومال
SR|sur|suriname|苏里南|surinam|republic of suriname
SS|ssd|south sudan|南苏丹|sudsudan|soudan du sud|sudan del sur|sud sudan|sudao do sul|zuid soedan|republic of south sudan
ST|stp|sao tome principe|圣多美和普林西比|sao tome und principe|sao tome et principe|santo tome y principe|sao tome e principe|sao tome en principe|sao tome and principe|democratic republic of sao tome and principe
SV|slv|el salvador|萨尔瓦多|salvador|republic of el salvador
SX|sxm|sint maarten|荷属圣马丁|saint martin partie neerlandaise|sint maarten dutch part
SY|syr|syria|叙利亚|syrien|syrie|siria|syrian arab republic|سوريا
SZ|swz|eswatini|斯威士兰|esuatini|essuatini|kingdom of eswatini|swaziland
TA|tristan da cunha|特里斯坦 达库尼亚群岛|tristan de acuna|tristao da cunha
TC|tca|turks caicos islands|特克斯和凯科斯群岛|turks und caicosinseln|iles turques et caiques|islas turcas y caicos|isole turks e caicos|ilhas turcas e caicos|turks en caicoseilanden|turks and caicos islands
TD|tcd|chad|乍得|tschad|tchad|ciad|chade|tsjaad|republic of chad|تشاد
TG|tgo|togo|多哥|togolese republic
TH|tha|thailand|泰国|thailande|tailandia|thailandia|kingdom of thailand|ไทย
TJ|tjk|tajikistan|塔吉克斯坦|tadschikistan|tadjikistan|tayikistan|tagikistan|tadjiquistao|tadzjikistan|republic of tajikistan|тоҷикистон
TK|tkl|tokelau|托克劳
TL|tls|timor leste|东帝汶|timor oriental|timor est|oost timor|democratic republic of timor leste
TM|tkm|turkmenistan|土库曼斯坦|turcomenistao
TN|tun|tunisia|突尼斯|tunesien|tunisie|tunez|tunesie|republic of tunisia|تونس
TO|ton|tonga|汤加|kingdom of tonga
TR|tur|turkiye|土耳其|turkei|turquie|turquia|turchia|turkije|republic of turkiye|turkey
TT|tto|trinidad tobago|特立尼达和多巴哥|trinidad und tobago|trinite et tobago|trinidad y tobago|trinidad e tobago|trinidad en tobago|trinidad and tobago|republic of trinidad and tobago
TV|tuv|tuvalu|图瓦卢
TW|twn|taiwan|台湾|taiwan province of china|台灣|中国台湾
TZ|tza|tanzania|坦桑尼亚|tansania|tanzanie|tanzania united republic of|united republic of tanzania
UA|ukr|ukraine|乌克兰|ucrania|ucraina|oekraine|украіна|украина
UG|uga|uganda|乌干达|ouganda|oeganda|republic of uganda
US|usa|united states|美国|vereinigte staaten|etats unis|estados unidos|stati uniti|verenigde staten|united states of america|u s|u s a|america|ee uu|eeuu
UY|ury|uruguay|乌拉圭|uruguai|eastern republic of uruguay
UZ|uzb|uzbekistan|乌兹别克斯坦|usbekistan|ouzbekistan|uzbequistao|oezbekistan|republic of uzbekistan|oʻzbekiston|узбекистон
VA|vat|vatican city|梵蒂冈|vatikanstadt|etat de la cite du vatican|ciudad del vaticano|citta del vaticano|cidade do vaticano|vaticaanstad|holy see vatican city state
VC|vct|st vincent grenadines|圣文森特和格林纳丁斯|st vincent und die grenadinen|saint vincent et les grenadines|san vicente y las granadinas|saint vincent e grenadine|sao vicente e granadinas|saint vincent en de grenadines|saint vincent and the grenadines
VE|ven|venezuela|委内瑞拉|venezuela bolivarian republic of|bolivarian republic of venezuela
VG|vgb|british virgin islands|英属维尔京群岛|britische jungferninseln|iles vierges britanniques|islas virgenes britanicas|isole vergini britanniche|ilhas virgens britanicas|britse maagdeneilanden|virgin islands british
VI|vir|u s virgin islands|美属维尔京群岛|amerikanische jungferninseln|iles vierges des etats unis|islas virgenes de ee uu|isole vergini americane|ilhas virgens americanas|amerikaanse maagdeneilanden|virgin islands u s|virgin islands of the united states
VN|vnm|vietnam|越南|viet nam|vietna|socialist republic of viet nam
VU|vut|vanuatu|瓦努阿图|republic of vanuatu
WF|wlf|wallis futuna|瓦利斯和富图纳|wallis und futuna|wallis et futuna|wallis y futuna|wallis e futuna|wallis en futuna|wallis and futuna
WS|wsm|samoa|萨摩亚|independent state of samoa
XK|kosovo|科索沃|kosove|косово
YE|yem|yemen|也门|jemen|iemen|republic of yemen|اليمن
YT|myt|mayotte|马约特
ZA|zaf|south africa|南非|sudafrika|afrique du sud|sudafrica|africa do sul|zuid afrika|republic of south africa
ZM|zmb|zambia|赞比亚|sambia|zambie|republic of zambia
ZW|zwe|zimbabwe|津巴布韦|simbabwe|zimbabue|republic of zimbabwe
"""
