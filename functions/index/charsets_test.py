"""Encodings that nothing declares: the letters come out right, and a guess is called one."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .charsets import guess, text_encoding
from .samples import cut, describe, noise

JAPANESE = "名前,住所,備考\n田中太郎,東京都千代田区,カタログを送付\n佐藤花子,大阪府大阪市,ありがとうございます\n"
CHINESE = "姓名,城市,备注\n王小明,北京市朝阳区,订单已经发货\n李华,上海市,谢谢您的支持\n张伟,一个城市,产品名称\n"
TAIWANESE = "姓名,城市,備註\n王小明,臺北市信義區,訂單已經發貨\n陳美玲,高雄市,謝謝您的支持\n林志豪,一個城市,產品名稱\n"
KOREAN = "이름,도시,비고\n김철수,서울특별시,주문번호\n이영희,부산광역시,감사합니다\n박민수,대구,배송 완료\n"
RUSSIAN = "Имя,Город,Примечание\nИван Петров,Москва,Заказ отправлен\nАнна Смирнова,Екатеринбург,Спасибо за покупку\n"
UKRAINIAN = "Ім'я,Місто,Примітка\nІван Петренко,Київ,Замовлення відправлено\nОксана Шевченко,Львів,вулиця Хрещатик\n"
GREEK = "Όνομα,Πόλη,Σημείωση\nΓιώργος Παπαδόπουλος,Αθήνα,Ευχαριστώ πολύ\nΜαρία,Θεσσαλονίκη,Ποσότητα\n"
HEBREW = "שם,עיר,הערה\nדוד כהן,ירושלים,תודה רבה\nשרה לוי,תל אביב,כמות\n"
ARABIC = "الاسم,المدينة,ملاحظة\nمحمد علي,القاهرة,شكرا جزيلا\nفاطمة,دمشق,الكمية\n"
THAI = "ชื่อ,เมือง,หมายเหตุ\nสมชาย,กรุงเทพ,ขอบคุณครับ\nมานี,เชียงใหม่,จำนวน\n"
TURKISH = "İsim,Şehir,Açıklama\nMehmet Yılmaz,İstanbul,Teşekkür ederiz\nAyşe Öztürk,Diyarbakır,ürün açıklaması\n"
POLISH = "Imię,Miasto,Uwagi\nŁukasz Żółty,Kraków,Dziękuję\nMałgorzata,Łódź,zamówienie wysłane\n"
CZECH = "Jméno,Město,Poznámka\nJiří Novák,Plzeň,Děkujeme\nTomáš Dvořák,České Budějovice,žluťoučký kůň\n"
GERMAN = "Name,Ort,Straße\nJürgen Müller,Köln,Hauptstraße\nUwe Groß,Düsseldorf,Preis in €\n"
FRENCH = "Prénom,Ville,Remarque\nFrançois Lefèvre,Besançon,déjà reçu\nHélène,Orléans,coût élevé\n"
SPANISH = "Nombre,Año,Dirección\nJosé Muñoz,Málaga,señor\nMaría Ibáñez,Córdoba,acción\n"

VIETNAMESE = "Tên,Thành phố,Ghi chú\nNguyễn Văn An,Hà Nội,Đã gửi đơn hàng\nTrần Thị Bình,Đà Nẵng,Cảm ơn quý khách\n"

GUESSED = [
    ("shift_jis", "shift_jis", JAPANESE),
    ("cp932", "shift_jis", JAPANESE.replace("備考", "㈱①")),  # letters that NEC and IBM added
    ("euc_jp", "euc-jp", JAPANESE),
    ("gbk", "gb18030", CHINESE),
    ("gb18030", "gb18030", CHINESE),
    ("big5", "big5", TAIWANESE),
    ("euc_kr", "euc-kr", KOREAN),
    ("cp1251", "windows-1251", RUSSIAN),
    ("koi8-r", "koi8-r", RUSSIAN),
    ("cp866", "ibm866", RUSSIAN),
    ("iso8859-5", "iso-8859-5", RUSSIAN),
    ("cp1251", "windows-1251", UKRAINIAN),
    ("koi8-u", "koi8-u", UKRAINIAN),
    ("cp1253", "windows-1253", GREEK),
    ("cp1255", "windows-1255", HEBREW),
    ("cp1256", "windows-1256", ARABIC),
    ("cp874", "windows-874", THAI),
    ("cp1254", "windows-1254", TURKISH),
    ("cp1250", "windows-1250", POLISH),
    ("iso8859-2", "iso-8859-2", POLISH),
    ("cp1250", "windows-1250", CZECH),
    ("cp1252", "windows-1252", GERMAN),
    ("cp1252", "windows-1252", FRENCH),
    ("latin-1", "windows-1252", SPANISH),
]
KNOWN = [
    *((encoding, text) for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be") for text in (
        JAPANESE, CHINESE, TAIWANESE, KOREAN, RUSSIAN, GREEK, HEBREW, ARABIC, THAI, GERMAN, "a,b\n1,2\n")),
    *((encoding, CHINESE) for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32")),
    ("iso-2022-jp", JAPANESE),
    ("iso-2022-kr", KOREAN),
    ("hz", CHINESE),
]  # fmt: skip


def read(text: str) -> tuple[list[str], list[list[str]]]:
    columns, *rows = (line.split(",") for line in text.splitlines())
    return columns, rows


@pytest.mark.parametrize(("codec", "name", "text"), GUESSED, ids=[f"{codec}-{text[:6]}" for codec, _, text in GUESSED])
@pytest.mark.parametrize("table", [True, False], ids=["csv", "text"])
def test_legacy_encodings_are_read_and_called_a_guess(codec: str, name: str, text: str, *, table: bool) -> None:
    text = text if table else text.replace(",", " ")
    document = describe(text.encode(codec), "t.csv" if table else "t.txt", chunk_bytes=7)
    found = document["csv" if table else "text"]
    assert found["encoding"] == name
    assert 0.9 <= found["encoding_confidence"] < 1
    assert (found["columns"], found["first_rows"]) == read(text) if table else found["beginning"] == text
    assert document["warnings"] == [f"the encoding {name} is a guess: letters outside ASCII may be wrong"]
    assert f"{name} was guessed, with confidence {found['encoding_confidence']:.2f}." in document["notes"][-1]


@pytest.mark.parametrize(("codec", "text"), KNOWN, ids=[f"{codec}-{text[:6]}" for codec, text in KNOWN])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_unicode_and_escapes_are_facts_and_no_guess(codec: str, text: str, line_end: str) -> None:
    document = describe(text.replace("\n", line_end).encode(codec), "t.csv", chunk_bytes=7)
    found = document["csv"]
    assert found["encoding"] == codec
    assert "encoding_confidence" not in found
    assert (found["columns"], found["first_rows"]) == read(text)
    assert found["rows"] == len(read(text)[1])
    assert document["warnings"] == []


def test_the_mark_of_gb18030_is_in_no_name() -> None:
    found = describe(("\ufeff" + CHINESE).encode("gb18030"), "t.csv")["csv"]
    assert (found["encoding"], found["columns"]) == ("gb18030", ["姓名", "城市", "备注"])


@pytest.mark.parametrize("codec", ["shift_jis", "gbk", "big5"])
def test_a_letter_that_holds_a_delimiters_byte_does_not_part_a_row(codec: str) -> None:
    letter = {"shift_jis": "ポ", "gbk": "悀", "big5": "育"}[codec]
    assert b"|" in letter.encode(codec) or codec == "gbk"
    names = {"shift_jis": "名前|住所", "gbk": "姓名|城市", "big5": "姓名|備註"}[codec]
    filler = {"shift_jis": "東京|大阪", "gbk": "北京|上海", "big5": "臺北|高雄"}[codec]
    text = names + "\n" + f"{filler}\n" * 50 + f"{letter}|{letter}\n" * 50
    document = describe(text.encode(codec), "t.csv")
    assert document["csv"]["rows"] == 100
    assert not any("fields" in warning for warning in document["warnings"])


@pytest.mark.parametrize("codec", ["mac_roman"])
@pytest.mark.parametrize(
    "text",
    [
        GERMAN.replace(" in €", ""),
        FRENCH,
        "prénom,âge\nZoé,3\n",
        "name,city\nJosé,Málaga\nAndré,Köln\n",
    ],
    ids=["German", "French", "taken for windows-1250", "a capital before the letter"],
)
def test_an_encoding_that_the_detector_does_not_have_gives_little_confidence(codec: str, text: str) -> None:
    document = describe(text.encode(codec), "t.csv")
    assert document["csv"]["encoding_confidence"] <= 0.5
    assert any("was guessed, with confidence 0.50" in note for note in document["notes"])


@pytest.mark.parametrize("codec", ["cp037", "cp500", "cp273", "cp1140"])
@pytest.mark.parametrize(
    "text",
    [
        "NAME,CITY\nANN,ROME\n",
        "Name,City\nAnn,Rome\n",
        "Name,City\nAnn,Rome\nBob Lee,Oslo\n",
        "0001ANN LEE   ROME      \n" * 400,
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "a"])
def test_ebcdic_is_not_read_as_something_else(codec: str, text: str, name: str) -> None:
    document = describe(text.encode(codec), name)
    assert (document["kind"], document["type"]) == ("binary", "application/octet-stream")


@pytest.mark.parametrize(
    ("codec", "text"),
    [("gb18030", "张三李四王五北京上海重庆"), ("big5", "一個人一個人一個人"), ("cp932", "ポストカード")],
)
def test_words_of_several_bytes_without_spaces_are_no_ebcdic(codec: str, text: str) -> None:
    assert describe(text.encode(codec), "t.txt")["kind"] == "text"


def as_windows_writes_it(text: str) -> bytes:
    """Windows-1258: the letter with its circumflex, breve or horn, then the tone as a mark of its own."""
    made = b""
    for letter in unicodedata.normalize("NFC", text):
        parts = list(unicodedata.normalize("NFD", letter))
        base, marks = parts[0], parts[1:]
        forms = [
            letter,
            base + "".join(marks),
            *(unicodedata.normalize("NFC", base + mark) + "".join(marks).replace(mark, "") for mark in marks),
        ]
        made += next(form.encode("cp1258") for form in forms if all(encodable(part) for part in form))
    return made


def encodable(letter: str) -> bool:
    return letter.encode("cp1258", "replace") != b"?" or letter == "?"


def test_vietnamese_whose_tones_are_marks_of_their_own_is_read() -> None:
    found = describe(as_windows_writes_it(VIETNAMESE), "t.csv")["csv"]
    assert found["encoding"] == "windows-1258"
    told = [found["columns"], *found["first_rows"]]
    columns, rows = read(VIETNAMESE)
    assert [[unicodedata.normalize("NFC", cell) for cell in row] for row in told] == [columns, *rows]


@pytest.mark.parametrize("text", [GERMAN.replace("€", "EUR"), VIETNAMESE, JAPANESE, RUSSIAN, GREEK])
@pytest.mark.parametrize("name", ["t.csv", "t.txt"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_letters_of_utf_7_are_not_read_and_that_is_said(text: str, name: str, mark: str) -> None:
    document = describe((mark + text).encode("utf-7"), name)
    assert document["warnings"] == ["looks like UTF-7, which is not read: letters outside ASCII stand there as +APw-"]


@pytest.mark.parametrize(
    "text",
    [
        "name,phone\nAnn,+49123456\nBob,+4915112345678\nEve,+442071234567-\n",
        "blood\nA+\nAB+\nO+-\n",
        "sum\n1+1\na+b\nx+y-z\n",
        "C++,g++\n1+,2+\n",
        "name,city\nM+APw-ller,a+b\n+APw-,K\n",
    ],
)
def test_other_signs_of_plus_are_no_utf_7(text: str) -> None:
    assert describe(text.encode(), "t.csv")["warnings"] == []


def test_few_letters_give_little_confidence() -> None:
    few, many = guess("Jürgen".encode("cp1252")), guess(GERMAN.encode("cp1252"))
    assert few.confidence is not None
    assert many.confidence is not None
    assert few.confidence < many.confidence


@pytest.mark.parametrize("beginning", ["id,name\n" + "1,Ann\n" * 20_000, "x" * 70_000 + ",name\n"])
def test_a_file_that_is_ascii_for_long_is_judged_where_it_stops_to_be(beginning: str) -> None:
    data = beginning.encode() + b"".join(f"{n},東京都{n}\n".encode("shift_jis") for n in range(500))
    document = describe(data, "t.csv", chunk_bytes=1000)
    assert document["csv"]["encoding"] == "shift_jis"
    assert (
        document["warnings"][0]
        == f"begins as UTF-8, but byte {data.index('東'.encode('cp932'))} is not: read as shift_jis"
    )
    assert describe(data, "t.csv", chunk_bytes=100_000) == document


def test_what_cannot_be_read_in_a_legacy_encoding_is_noted() -> None:
    data = (JAPANESE * 2000).encode("shift_jis") + b"\x81 ,\x81 ,\n"
    assert describe(data, "t.csv")["warnings"] == ["has characters that cannot be read as shift_jis"]


BINARY = {
    "noise": noise(4000),
    "numbers of 16 bits": b"".join(n.to_bytes(2, "little") for n in range(1000)),
    "numbers of 16 bits, from the top": b"".join(n.to_bytes(2, "big") for n in range(1000)),
    "numbers of 32 bits": b"".join(n.to_bytes(4, "little") for n in range(1000)),
    "sound": b"".join((n * 37 % 4000 - 2000).to_bytes(2, "little", signed=True) for n in range(2000)),
    "sound of 24 bits": b"".join((n * 37 % 4000 - 2000).to_bytes(3, "little", signed=True) for n in range(2000)),
    "zeros": bytes(1000),
    "floats": bytes.fromhex("0000803f000000400000404000008040") * 50,
}


@pytest.mark.parametrize("data", BINARY.values(), ids=BINARY)
def test_numbers_are_no_text_of_two_bytes_a_letter(data: bytes) -> None:
    assert text_encoding(data, is_hinted=False) is None


def test_braces_of_a_template_are_no_escapes() -> None:
    found = text_encoding(b"a ~{ name ~} and ~{x~}\n" * 9, is_hinted=False)
    assert found is not None
    assert found.name == "utf-8"


def test_a_nul_in_an_ascii_text_does_not_make_it_utf_16() -> None:
    for size in range(2, 40):
        data = (b"a,b\n" * 20)[:size] + b"\0\n"
        found = text_encoding(data, is_hinted=True)
        assert found is None or found.name == "utf-8"


@given(data=st.binary(min_size=1, max_size=300))
def test_no_bytes_make_the_judgement_fail(data: bytes) -> None:
    found = text_encoding(data, is_hinted=True)
    if found is not None:
        data.decode(found.codec, "replace")


@pytest.mark.parametrize("codec", ["cp932", "cp1251", "utf-16-le", "iso-2022-jp"])
def test_a_sample_cut_anywhere_is_read_alike(codec: str) -> None:
    text = JAPANESE if codec in ("cp932", "iso-2022-jp") else RUSSIAN
    whole = (text * 3).encode(codec)
    names = {found.name for size in range(60, len(whole)) if (found := text_encoding(whole[:size], is_hinted=False))}
    assert len(names) == 1


def test_pieces_of_any_size_give_the_same_document() -> None:
    data = (CHINESE * 30).encode("gb18030")
    assert all(describe(data, "t.csv", chunk_bytes=size) == describe(data, "t.csv") for size in (1, 2, 3, 5))
    assert b"".join(cut(data, 3)) == data


TWICE = "looks like UTF-8 that was encoded twice: letters outside ASCII stand there as two or more signs"


@pytest.mark.parametrize("codec", ["cp1252", "latin-1"])
@pytest.mark.parametrize("text", ["name,city\nMüller,Köln\n", "t,°C\n1,2\n", "a,b\nit’s,naïve\n", "n,p\nÀ,£5\n"])
def test_utf_8_that_was_encoded_twice_is_told(text: str, codec: str) -> None:
    twice = text.encode().decode(codec, "ignore").encode()
    assert TWICE in describe(twice, "t.csv")["warnings"]
    assert TWICE not in describe(text.encode(), "t.csv")["warnings"]


def test_a_part_of_the_rows_that_was_encoded_twice_is_told() -> None:
    assert TWICE in describe("name,city\nMÃ¼ller,Köln\nJÃ¼rgen,München\n".encode(), "t.csv")["warnings"]


def test_letters_that_were_lost_before_are_told() -> None:
    told = "has U+FFFD in place of letters: another program could not read them before this was stored"
    assert told in describe("name,city\nM\ufffdller,Köln\n".encode(), "t.csv")["warnings"]
    assert told not in describe("name,city\nMüller,Köln\n".encode()[:-3] + b"\xff", "t.csv")["warnings"]


@pytest.mark.parametrize("text", ["«IRMÃ»,«NÃO»\n", "Â,B\n1,2\n", "ÃO,â\n", "東京,Ã¼\n"])
def test_letters_that_only_begin_like_it_are_not(text: str) -> None:
    assert TWICE not in describe(text.encode(), "t.csv")["warnings"]


def test_noughts_behind_a_table_leave_it_a_table() -> None:
    """A device that lost its power while it wrote leaves them."""
    document = describe(b"id,name\n1,Ann\n2,Bob\n" + bytes(512), "t.csv")
    assert document["csv"]["columns"] == ["id", "name"]
    assert "has NUL characters" in document["warnings"]


def test_controls_that_part_cells_leave_a_table_a_table() -> None:
    table = describe(b"1\x01a\x02b\x01x\n2\x01c\x02d\x01y\n3\x01e\x02f\x01z\n", "t.csv")["csv"]
    assert (table["delimiter"], table["rows"]) == ("\x01", 3)
