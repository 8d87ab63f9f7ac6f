"""How each relation is asked and stated, in eleven languages. Data only.

`TEMPLATES[relation][language]` is `(questions, passages)`: wordings that mean the same, of which a fact gets one each.
A question holds `{subject}`, a passage holds `{subject}` and `{object}`; both are names as CLDR has them.

CLDR gives every name in one form, the citation form. So a name stands only where that form is right whatever its
gender, number, article or sound: before a colon as the topic, after a colon, beside the noun that it names, between
quotation marks if need be, or bare where the language does not inflect it (Arabic after a separate preposition, Hindi
place names, Thai, Vietnamese, Chinese) or where it is the subject of the clause (Turkish). A name that CLDR writes in
lower case (languages and days in Spanish and Russian) never opens a sentence.
"""

from __future__ import annotations

Wordings = tuple[str, ...]

TEMPLATES: dict[str, dict[str, tuple[Wordings, Wordings]]] = {
    "currency": {
        "ar": (
            (
                "ما العملة القانونية المتداولة في {subject}؟",
                "بأي نقود يدفع الناس في البلد أو الإقليم التالي: {subject}؟",
            ),
            (
                "تُحدَّد الأسعار في {subject} بالوحدة النقدية التالية: {object}.",
                "الوحدة النقدية الرسمية المسماة «{object}» مستخدمة في المكان التالي: {subject}.",
            ),
        ),
        "de": (
            (
                "{subject}: Welche Währung ist dort gesetzliches Zahlungsmittel?",
                "Mit welchem Geld bezahlt man im folgenden Land oder Gebiet: {subject}?",
            ),
            (
                "{subject}: Die dortige Landeswährung heißt {object}.",
                "Die offizielle Währungseinheit {object} gilt an folgendem Ort: {subject}.",
            ),
        ),
        "el": (
            (
                "{subject}: ποιο νόμισμα είναι εκεί νόμιμο μέσο πληρωμής;",
                "Με ποια χρήματα πληρώνει κανείς στην εξής χώρα ή περιοχή: {subject};",
            ),
            (
                "{subject}: η τοπική νομισματική μονάδα ονομάζεται «{object}».",
                "Οι τιμές ορίζονται στο επίσημο νόμισμα «{object}» στο εξής μέρος: {subject}.",
            ),
        ),
        "en": (
            (
                "{subject}: which currency is legal tender there?",
                "What money do people pay with in the following country or territory: {subject}?",
            ),
            (
                "{subject}: prices there are set in the local monetary unit, the {object}.",
                "The {object} circulates as official money in this place: {subject}.",
            ),
        ),
        "es": (
            (
                "{subject}: ¿qué moneda es de curso legal allí?",
                "¿Con qué dinero se paga en el siguiente país o territorio: {subject}?",
            ),
            (
                "{subject}: la unidad monetaria local se llama {object}.",
                "Los precios se fijan en la moneda llamada {object} en el siguiente lugar: {subject}.",
            ),
        ),
        "hi": (
            (
                "{subject} में कौन सी मुद्रा वैध है?",
                "इस देश या क्षेत्र में लोग किस पैसे से भुगतान करते हैं: {subject}?",
            ),
            (
                "{subject} की आधिकारिक मौद्रिक इकाई {object} है।",
                "इस स्थान पर दाम “{object}” नाम की मुद्रा में तय होते हैं: {subject}।",
            ),
        ),
        "ru": (
            (
                "{subject}: какая валюта является там законным платёжным средством?",
                "Какими деньгами расплачиваются в следующей стране или регионе: {subject}?",
            ),
            (
                "{subject}: местная денежная единица — {object}.",
                "Цены указывают в официальной валюте «{object}» в следующем месте: {subject}.",
            ),
        ),
        "th": (
            (
                "{subject}ใช้สกุลเงินใดเป็นเงินตราตามกฎหมาย",
                "ผู้คนในประเทศหรือดินแดนต่อไปนี้จ่ายเงินด้วยเงินอะไร: {subject}",
            ),
            (
                "หน่วยเงินตราอย่างเป็นทางการของ{subject}คือ{object}",
                "ราคาสินค้าคิดเป็น{object}ในสถานที่ต่อไปนี้: {subject}",
            ),
        ),
        "tr": (
            (
                "{subject} hangi para birimini kullanıyor?",
                "Şu ülke veya bölgede ödemeler hangi parayla yapılır: {subject}?",
            ),
            (
                "{subject} için yasal ödeme aracı şudur: {object}.",
                "Resmî para olarak {object} şu yerde dolaşımdadır: {subject}.",
            ),
        ),
        "vi": (
            (
                "{subject} sử dụng đơn vị tiền tệ hợp pháp nào?",
                "Người dân thanh toán bằng tiền gì ở quốc gia hoặc vùng lãnh thổ sau: {subject}?",
            ),
            (
                "Tiền tệ chính thức của {subject} là {object}.",
                "Giá cả được niêm yết bằng {object} tại nơi sau đây: {subject}.",
            ),
        ),
        "zh": (
            ("{subject}使用哪种法定货币？", "在以下国家或地区，人们用什么钱付款：{subject}？"),
            ("{subject}的官方货币单位是{object}。", "在下列地方，商品以{object}计价：{subject}。"),
        ),
    },
    "currency_since": {
        "ar": (
            (
                "منذ متى تُستخدم العملة الحالية في {subject}؟",
                "في أي عام اعتمد البلد أو الإقليم التالي نقوده الحالية: {subject}؟",
            ),
            (
                "تعود الوحدة النقدية السارية اليوم في {subject} إلى سنة {object}.",
                "وسيلة الدفع القانونية القائمة معمول بها منذ سنة {object} في المكان التالي: {subject}.",
            ),
        ),
        "de": (
            (
                "{subject}: Seit wann gibt es dort die heutige Währung?",
                "In welchem Jahr hat das folgende Land oder Gebiet sein heutiges Geld eingeführt: {subject}?",
            ),
            (
                "{subject}: Das derzeitige gesetzliche Zahlungsmittel gilt seit {object}.",
                "Die jetzige Währungseinheit geht an folgendem Ort auf das Jahr {object} zurück: {subject}.",
            ),
        ),
        "el": (
            (
                "{subject}: από πότε χρησιμοποιείται εκεί το σημερινό νόμισμα;",
                "Ποιο έτος υιοθέτησε τα σημερινά της χρήματα η εξής χώρα ή περιοχή: {subject};",
            ),
            (
                "{subject}: η ισχύουσα νομισματική μονάδα αποτελεί νόμιμο μέσο πληρωμής από το {object}.",
                "Το τωρινό νόμιμο χρήμα χρονολογείται από το {object} στο εξής μέρος: {subject}.",
            ),
        ),
        "en": (
            (
                "{subject}: since when has the present currency been in use there?",
                "In which year did the following country or territory adopt the money it has today: {subject}?",
            ),
            (
                "{subject}: the legal tender of today was introduced in {object}.",
                "The current monetary unit goes back to {object} in this place: {subject}.",
            ),
        ),
        "es": (
            (
                "{subject}: ¿desde cuándo se usa allí la moneda actual?",
                "¿En qué año adoptó su dinero de hoy el siguiente país o territorio: {subject}?",
            ),
            (
                "{subject}: la unidad monetaria vigente es de curso legal desde {object}.",
                "La divisa que circula en la actualidad se remonta al año {object} en el siguiente lugar: {subject}.",
            ),
        ),
        "hi": (
            (
                "{subject} में मौजूदा मुद्रा कब से चलन में है?",
                "इस देश या क्षेत्र ने अपना आज का पैसा किस साल अपनाया: {subject}?",
            ),
            (
                "{subject} में वर्तमान मौद्रिक इकाई वर्ष {object} से वैध है।",
                "इस स्थान पर आजकल चलने वाली करेंसी की शुरुआत सन {object} में हुई: {subject}।",
            ),
        ),
        "ru": (
            (
                "{subject}: с какого времени там используется нынешняя валюта?",
                "В каком году появились сегодняшние деньги в следующей стране или регионе: {subject}?",
            ),
            (
                "{subject}: действующее законное платёжное средство принято в {object} году.",
                "Современная денежная единица введена в {object} году в следующем месте: {subject}.",
            ),
        ),
        "th": (
            (
                "{subject}ใช้สกุลเงินปัจจุบันมาตั้งแต่เมื่อใด",
                "ประเทศหรือดินแดนต่อไปนี้เริ่มใช้เงินที่มีอยู่ในวันนี้ในปีใด: {subject}",
            ),
            (
                "หน่วยเงินตราที่ใช้อยู่ใน{subject}มีผลตามกฎหมายตั้งแต่ ค.ศ. {object}",
                "เงินที่ชำระหนี้ได้ตามกฎหมายในขณะนี้ย้อนไปถึง ค.ศ. {object} ในสถานที่ต่อไปนี้: {subject}",
            ),
        ),
        "tr": (
            (
                "{subject} bugünkü para birimini ne zamandan beri kullanıyor?",
                "Şu ülke veya bölge şimdiki parasına hangi yıl geçti: {subject}?",
            ),
            (
                "{subject} için geçerli olan yasal ödeme aracı {object} yılında yürürlüğe girmiştir.",
                "Şu yerde hâlen dolaşımda olan para {object} yılından beri geçerlidir: {subject}.",
            ),
        ),
        "vi": (
            (
                "{subject} dùng đồng tiền hiện nay từ khi nào?",
                "Quốc gia hoặc vùng lãnh thổ sau bắt đầu áp dụng loại tiền ngày nay vào năm nào: {subject}?",
            ),
            (
                "Đơn vị tiền tệ hiện hành của {subject} có giá trị pháp lý từ năm {object}.",
                "Tiền đang lưu hành được đưa vào sử dụng năm {object} tại nơi sau đây: {subject}.",
            ),
        ),
        "zh": (
            ("{subject}从什么时候开始使用现行货币？", "以下国家或地区是哪一年采用今天的钱币的：{subject}？"),
            (
                "{subject}现有的货币单位自{object}年起具有法定效力。",
                "在下列地方，如今流通的法定货币始于{object}年：{subject}。",
            ),
        ),
    },
    "official_language": {
        "ar": (
            (
                "ما اللغة الرسمية الأكثر انتشارًا في {subject}؟",
                "أي اللغات الرسمية يستخدمها أكبر عدد من الناس في البلد أو الإقليم التالي: {subject}؟",
            ),
            (
                "اللغة الرسمية التي تعرفها أكبر نسبة من السكان في {subject} هي: {object}.",
                "اللغة الرسمية ذات النصيب الأكبر من السكان هي {object}، وذلك في المكان التالي: {subject}.",
            ),
        ),
        "de": (
            (
                "{subject}: Welche Amtssprache ist dort am weitesten verbreitet?",
                "Welche offizielle Sprache verwenden im folgenden Land oder Gebiet die meisten Menschen: {subject}?",
            ),
            (
                "{subject}: Unter den offiziellen Sprachen erreicht {object} den größten Anteil der Bevölkerung.",
                "{object} ist die Amtssprache mit den meisten Nutzern an folgendem Ort: {subject}.",
            ),
        ),
        "el": (
            (
                "{subject}: ποια επίσημη γλώσσα είναι εκεί η πιο διαδεδομένη;",
                "Ποια από τις επίσημες γλώσσες έχει τους περισσότερους χρήστες στην εξής χώρα ή περιοχή: {subject};",
            ),
            (
                "{subject}: η επίσημη γλώσσα που γνωρίζει το μεγαλύτερο μέρος του πληθυσμού είναι η εξής: {object}.",
                "Η γλώσσα «{object}» είναι η επίσημη γλώσσα με το μεγαλύτερο μερίδιο στον πληθυσμό στο εξής μέρος: "
                "{subject}.",
            ),
        ),
        "en": (
            (
                "{subject}: which official language is the most widely used there?",
                "Which official language has the most users in the following country or territory: {subject}?",
            ),
            (
                "{subject}: no official language there reaches a larger share of the population than {object}.",
                "{object} is the official tongue that the greatest part of the people know in this place: {subject}.",
            ),
        ),
        "es": (
            (
                "{subject}: ¿cuál es la lengua oficial más extendida allí?",
                "¿Qué idioma oficial tiene más usuarios en el siguiente país o territorio: {subject}?",
            ),
            (
                "{subject}: el idioma oficial que conoce una mayor parte de la población es el siguiente: {object}.",
                "El idioma {object} es la lengua oficial con mayor peso en la población de este lugar: {subject}.",
            ),
        ),
        "hi": (
            (
                "{subject} में सबसे अधिक प्रचलित राजभाषा कौन सी है?",
                "इस देश या क्षेत्र की किस आधिकारिक भाषा का इस्तेमाल सबसे ज़्यादा लोग करते हैं: {subject}?",
            ),
            (
                "{subject} की आधिकारिक भाषाओं में आबादी के सबसे बड़े हिस्से तक “{object}” पहुँचती है।",
                "“{object}” वह राजभाषा है जिसे इस स्थान की जनसंख्या का सबसे बड़ा भाग जानता है: {subject}।",
            ),
        ),
        "ru": (
            (
                "{subject}: какой официальный язык там наиболее распространён?",
                "Каким официальным языком пользуется больше всего людей в следующей стране или регионе: {subject}?",
            ),
            (
                "{subject}: среди официальных языков наибольшую долю населения охватывает {object}.",
                "Язык «{object}» имеет официальный статус и больше всего говорящих в следующем месте: {subject}.",
            ),
        ),
        "th": (
            (
                "ภาษาราชการใดใช้กันแพร่หลายที่สุดใน{subject}",
                "ภาษาทางการใดมีผู้ใช้มากที่สุดในประเทศหรือดินแดนต่อไปนี้: {subject}",
            ),
            (
                "ภาษาทางการที่เข้าถึงประชากรของ{subject}ได้มากที่สุดคือภาษา{object}",
                "ภาษา{object}เป็นภาษาราชการที่มีสัดส่วนผู้รู้สูงสุดในสถานที่ต่อไปนี้: {subject}",
            ),
        ),
        "tr": (
            (
                "{subject}: Orada en yaygın resmî dil hangisidir?",
                "Şu ülke veya bölgede en çok kişinin kullandığı resmî dil hangisidir: {subject}?",
            ),
            (
                "{subject}: Resmî diller içinde nüfusun en büyük kesiminin bildiği dil şudur: {object}.",
                "{object}, nüfustaki payı en yüksek resmî dil olarak şu yerde öne çıkar: {subject}.",
            ),
        ),
        "vi": (
            (
                "Ngôn ngữ chính thức nào phổ biến nhất ở {subject}?",
                "Ngôn ngữ chính thức nào có nhiều người dùng nhất ở quốc gia hoặc vùng lãnh thổ sau: {subject}?",
            ),
            (
                "Ở {subject}, thứ tiếng chính thức mà tỷ lệ dân số cao nhất biết là {object}.",
                "{object} là thứ tiếng chính thức chiếm tỷ lệ dân số lớn nhất tại nơi sau đây: {subject}.",
            ),
        ),
        "zh": (
            ("{subject}使用最广泛的官方语言是什么？", "在以下国家或地区，哪种官方语言的使用者最多：{subject}？"),
            (
                "在{subject}的官方语言中，{object}覆盖的人口比例最高。",
                "在下列地方，掌握人数最多的官方语言是{object}：{subject}。",
            ),
        ),
    },
    "week_start": {
        "ar": (
            (
                "في أي يوم يبدأ الأسبوع في {subject}؟",
                "ما اليوم الأول من الأسبوع في البلد أو الإقليم التالي: {subject}؟",
            ),
            (
                "تضع التقاويم في {subject} اليوم التالي في المقدمة: {object}.",
                "يُعدّ يوم {object} مطلع الأسبوع في المكان التالي: {subject}.",
            ),
        ),
        "de": (
            (
                "{subject}: Mit welchem Tag beginnt dort die Woche?",
                "Welcher Tag ist im folgenden Land oder Gebiet der erste der Woche: {subject}?",
            ),
            (
                "{subject}: In den Kalendern steht {object} an erster Stelle.",
                "Als Wochenanfang zählt {object} an folgendem Ort: {subject}.",
            ),
        ),
        "el": (
            (
                "{subject}: ποια ημέρα αρχίζει εκεί η εβδομάδα;",
                "Ποια είναι η πρώτη ημέρα της εβδομάδας στην εξής χώρα ή περιοχή: {subject};",
            ),
            (
                "{subject}: στα ημερολόγια προηγείται η εξής ημέρα: {object}.",
                "Η ημέρα «{object}» θεωρείται αρχή της εβδομάδας στο εξής μέρος: {subject}.",
            ),
        ),
        "en": (
            (
                "{subject}: on which day does the week begin there?",
                "What is the first day of the week in the following country or territory: {subject}?",
            ),
            (
                "{subject}: calendars there show {object} ahead of the other days.",
                "A new week is counted from {object} in this place: {subject}.",
            ),
        ),
        "es": (
            (
                "{subject}: ¿qué día empieza allí la semana?",
                "¿Cuál es el primer día de la semana en el siguiente país o territorio: {subject}?",
            ),
            (
                "{subject}: los calendarios ponen el {object} en primer lugar.",
                "La semana se cuenta a partir del {object} en el siguiente lugar: {subject}.",
            ),
        ),
        "hi": (
            (
                "{subject} में सप्ताह किस दिन से शुरू होता है?",
                "इस देश या क्षेत्र में हफ़्ते का पहला दिन कौन सा है: {subject}?",
            ),
            (
                "{subject} के कैलेंडर में {object} सबसे पहले आता है।",
                "इस स्थान पर नए हफ़्ते की गिनती {object} से की जाती है: {subject}।",
            ),
        ),
        "ru": (
            (
                "{subject}: с какого дня там начинается неделя?",
                "Какой день считается первым днём недели в следующей стране или регионе: {subject}?",
            ),
            (
                "{subject}: в календарях на первом месте стоит {object}.",
                "Отсчёт новой недели открывает {object} в следующем месте: {subject}.",
            ),
        ),
        "th": (
            (
                "สัปดาห์ใน{subject}เริ่มต้นวันใด",
                "วันแรกของสัปดาห์ในประเทศหรือดินแดนต่อไปนี้คือวันอะไร: {subject}",
            ),
            (
                "ปฏิทินใน{subject}วาง{object}ไว้เป็นลำดับแรก",
                "ผู้คนนับ{object}เป็นวันขึ้นสัปดาห์ใหม่ในสถานที่ต่อไปนี้: {subject}",
            ),
        ),
        "tr": (
            (
                "{subject}: Orada hafta hangi gün başlar?",
                "Şu ülke veya bölgede haftanın ilk günü hangisidir: {subject}?",
            ),
            (
                "{subject}: Takvimlerde ilk sırada {object} yer alır.",
                "Şu yerde yeni bir hafta {object} günü başlamış sayılır: {subject}.",
            ),
        ),
        "vi": (
            (
                "Ở {subject}, tuần bắt đầu vào ngày nào?",
                "Ngày đầu tuần ở quốc gia hoặc vùng lãnh thổ sau là ngày nào: {subject}?",
            ),
            (
                "Lịch ở {subject} xếp {object} lên đầu tiên.",
                "{object} được xem là ngày mở đầu một tuần mới tại nơi sau đây: {subject}.",
            ),
        ),
        "zh": (
            ("在{subject}，一周从星期几开始？", "以下国家或地区把哪一天当作一周的第一天：{subject}？"),
            ("{subject}的日历把{object}排在最前面。", "在下列地方，新的一周从{object}算起：{subject}。"),
        ),
    },
    "weekend_start": {
        "ar": (
            (
                "في أي يوم تبدأ عطلة نهاية الأسبوع في {subject}؟",
                "ما اليوم الأول من الراحة الأسبوعية في البلد أو الإقليم التالي: {subject}؟",
            ),
            (
                "يتوقف العمل والدراسة عادةً في {subject} ابتداءً من يوم {object}.",
                "يوم {object} هو مستهل العطلة الأسبوعية في المكان التالي: {subject}.",
            ),
        ),
        "de": (
            (
                "{subject}: An welchem Tag fängt dort das Wochenende an?",
                "Welcher Tag ist im folgenden Land oder Gebiet der erste der wöchentlichen Ruhezeit: {subject}?",
            ),
            (
                "{subject}: Die freien Tage nach der Arbeitswoche beginnen am {object}.",
                "Arbeit und Schule pausieren an folgendem Ort in der Regel ab {object}: {subject}.",
            ),
        ),
        "el": (
            (
                "{subject}: ποια ημέρα ξεκινά εκεί η εβδομαδιαία ανάπαυση;",
                "Ποια είναι η πρώτη μη εργάσιμη ημέρα κάθε εβδομάδας στην εξής χώρα ή περιοχή: {subject};",
            ),
            (
                "{subject}: οι ημέρες χωρίς δουλειά και σχολείο αρχίζουν συνήθως με την εξής: {object}.",
                "Η ημέρα «{object}» ανοίγει το εβδομαδιαίο διάλειμμα από την εργασία στο εξής μέρος: {subject}.",
            ),
        ),
        "en": (
            (
                "{subject}: on which day does the weekend begin there?",
                "What is the first day of the weekly rest in the following country or territory: {subject}?",
            ),
            (
                "{subject}: the days off work and school usually start with {object}.",
                "{object} opens the weekend in this place: {subject}.",
            ),
        ),
        "es": (
            (
                "{subject}: ¿qué día comienza allí el fin de semana?",
                "¿Cuál es el primer día del descanso semanal en el siguiente país o territorio: {subject}?",
            ),
            (
                "{subject}: los días libres tras la semana laboral empiezan el {object}.",
                "El {object} abre el fin de semana en el siguiente lugar: {subject}.",
            ),
        ),
        "hi": (
            (
                "{subject} में सप्ताहांत किस दिन से शुरू होता है?",
                "इस देश या क्षेत्र में साप्ताहिक अवकाश का पहला दिन कौन सा है: {subject}?",
            ),
            (
                "{subject} में काम और पढ़ाई से छुट्टी आम तौर पर {object} से मिलने लगती है।",
                "इस स्थान पर कामकाजी हफ़्ते के बाद का आराम {object} को आरंभ होता है: {subject}।",
            ),
        ),
        "ru": (
            (
                "{subject}: в какой день там начинаются выходные?",
                "Какой день становится первым днём еженедельного отдыха в следующей стране или регионе: {subject}?",
            ),
            (
                "{subject}: первым днём, свободным от работы и учёбы, обычно бывает {object}.",
                "Выходные открывает {object} в следующем месте: {subject}.",
            ),
        ),
        "th": (
            (
                "วันหยุดสุดสัปดาห์ใน{subject}เริ่มต้นวันใด",
                "วันพักผ่อนประจำสัปดาห์วันแรกในประเทศหรือดินแดนต่อไปนี้คือวันอะไร: {subject}",
            ),
            (
                "การหยุดงานและหยุดเรียนประจำสัปดาห์ใน{subject}มักเริ่มตั้งแต่{object}",
                "{object}เป็นวันหยุดวันแรกหลังสัปดาห์ทำงานในสถานที่ต่อไปนี้: {subject}",
            ),
        ),
        "tr": (
            (
                "{subject}: Orada hafta sonu hangi gün başlar?",
                "Şu ülke veya bölgede haftalık tatilin ilk günü hangisidir: {subject}?",
            ),
            (
                "{subject}: İşe ve okula ara verilen günlerin ilki {object} günüdür.",
                "Şu yerde çalışma haftasının ardından dinlenme {object} günü başlar: {subject}.",
            ),
        ),
        "vi": (
            (
                "Ở {subject}, kỳ nghỉ cuối tuần bắt đầu từ ngày nào?",
                "Ngày nghỉ hằng tuần đầu tiên ở quốc gia hoặc vùng lãnh thổ sau là ngày nào: {subject}?",
            ),
            (
                "Người dân ở {subject} thường được nghỉ làm và nghỉ học kể từ {object}.",
                "{object} mở đầu những ngày cuối tuần tại nơi sau đây: {subject}.",
            ),
        ),
        "zh": (
            ("在{subject}，周末从星期几开始？", "以下国家或地区每周休息的第一天是哪一天：{subject}？"),
            ("{subject}的人们通常从{object}起不用上班上学。", "在下列地方，{object}是周末的头一天：{subject}。"),
        ),
    },
    "script": {
        "ar": (
            (
                "بأي خط تُكتب عادةً اللغة التالية: {subject}؟",
                "ما نظام الكتابة المعتاد في نصوص اللغة المسماة «{subject}»؟",
            ),
            (
                "من يكتب باللغة المسماة «{subject}» يستخدم في الغالب الكتابة التالية: {object}.",
                "تُدوَّن اللغة المسماة «{subject}» على العموم بالأحرف المسماة «{object}».",
            ),
        ),
        "de": (
            (
                "In welcher Schrift wird {subject} üblicherweise geschrieben?",
                "{subject}: Welches Schriftsystem verwenden Texte in dieser Sprache normalerweise?",
            ),
            (
                "Wer {subject} schreibt, benutzt dafür in der Regel die Schrift „{object}“.",
                "Das gebräuchliche Schriftsystem der Sprache {subject} heißt {object}.",
            ),
        ),
        "el": (
            (
                "Με ποια γραφή γράφεται συνήθως η γλώσσα «{subject}»;",
                "Ποιο σύστημα γραφής χρησιμοποιούν κατά κανόνα τα κείμενα στην εξής γλώσσα: {subject};",
            ),
            (
                "Όποιος γράφει στη γλώσσα «{subject}» χρησιμοποιεί τις περισσότερες φορές την εξής γραφή: {object}.",
                "Το καθιερωμένο σύστημα γραφής για τη γλώσσα «{subject}» είναι γνωστό ως «{object}».",
            ),
        ),
        "en": (
            (
                "Which script is {subject} usually written in?",
                "{subject}: what writing system do texts in this language normally use?",
            ),
            (
                "People who put {subject} on paper do so, as a rule, in this script: {object}.",
                "The common writing system for the language {subject} is known as {object}.",
            ),
        ),
        "es": (
            (
                "¿En qué escritura se suele escribir el idioma {subject}?",
                "¿Qué sistema de escritura emplean normalmente los textos en el siguiente idioma: {subject}?",
            ),
            (
                "Quien escribe en el idioma {subject} utiliza por lo general la siguiente escritura: {object}.",
                "El sistema de escritura habitual del idioma {subject} es el que se conoce como «{object}».",
            ),
        ),
        "hi": (
            (
                "“{subject}” भाषा आम तौर पर किस लिपि में लिखी जाती है?",
                "इस भाषा के पाठों में सामान्यतः कौन सी लेखन प्रणाली मिलती है: {subject}?",
            ),
            (
                "“{subject}” भाषा में लिखने वाले लोग प्रायः “{object}” लिपि काम में लाते हैं।",
                "“{subject}” भाषा की प्रचलित लेखन प्रणाली यह है: {object}।",
            ),
        ),
        "ru": (
            (
                "Какая письменность обычно используется для языка «{subject}»?",
                "Какой системой письма, как правило, записаны тексты на следующем языке: {subject}?",
            ),
            (
                "На языке «{subject}» чаще всего пишут, прибегая к следующей письменности: {object}.",
                "Основная система письма для языка «{subject}» называется «{object}».",
            ),
        ),
        "th": (
            (
                "ภาษา{subject}มักเขียนด้วยอักษรใด",
                "ข้อความในภาษาต่อไปนี้ใช้ระบบการเขียนใดตามปกติ: ภาษา{subject}",
            ),
            (
                "ผู้ที่เขียนภาษา{subject}โดยทั่วไปใช้ตัวอักษรที่เรียกว่า “{object}”",
                "ระบบการเขียนที่แพร่หลายสำหรับภาษา{subject}คือ “{object}”",
            ),
        ),
        "tr": (
            (
                "{subject} genellikle hangi yazıyla yazılır?",
                "Şu dildeki metinler çoğunlukla hangi yazı sistemini kullanır: {subject}?",
            ),
            (
                "{subject} için kural olarak “{object}” adlı yazı kullanılır.",
                "{subject} söz konusu olduğunda yaygın yazı sistemi şudur: {object}.",
            ),
        ),
        "vi": (
            (
                "{subject} thường được viết bằng hệ chữ nào?",
                "Văn bản của ngôn ngữ sau thường dùng hệ thống chữ viết nào: {subject}?",
            ),
            (
                "Người viết {subject} nói chung dùng loại chữ sau: {object}.",
                "Hệ thống chữ viết phổ biến của {subject} là “{object}”.",
            ),
        ),
        "zh": (
            ("{subject}通常用什么文字书写？", "以下语言的文本一般采用哪种书写系统：{subject}？"),
            ("书写{subject}的人大多使用{object}。", "{subject}惯用的书写系统是{object}。"),
        ),
    },
    "home": {
        "ar": (
            (
                "بأي بلد أو إقليم ترتبط اللغة التالية أوثق ارتباط: {subject}؟",
                "أين في العالم يقع الموطن الرئيسي للغة المسماة «{subject}»؟",
            ),
            (
                "المكان الأول للغة المسماة «{subject}» على خريطة العالم هو: {object}.",
                "تُنسب اللغة المسماة «{subject}» قبل كل شيء إلى البلد أو الإقليم التالي: {object}.",
            ),
        ),
        "de": (
            (
                "Mit welchem Land oder Gebiet ist die Sprache {subject} am engsten verbunden?",
                "{subject}: Wo auf der Welt ist diese Sprache hauptsächlich beheimatet?",
            ),
            (
                "Der wichtigste Ort der Sprache {subject} auf der Weltkarte ist dieser: {object}.",
                "{subject} wird vor allem folgendem Land oder Gebiet zugeordnet: {object}.",
            ),
        ),
        "el": (
            (
                "Με ποια χώρα ή περιοχή συνδέεται στενότερα η γλώσσα «{subject}»;",
                "Σε ποιο μέρος του κόσμου απαντά κυρίως η εξής γλώσσα: {subject};",
            ),
            (
                "Η κύρια εστία της γλώσσας «{subject}» στον παγκόσμιο χάρτη είναι η εξής: {object}.",
                "Η γλώσσα «{subject}» αποδίδεται πρωτίστως στην εξής χώρα ή περιοχή: {object}.",
            ),
        ),
        "en": (
            (
                "Which country or territory is the language {subject} most closely associated with?",
                "{subject}: where in the world is this language chiefly at home?",
            ),
            (
                "On a map of the world, the main place of {subject} is this one: {object}.",
                "{subject} belongs above all to the following country or territory: {object}.",
            ),
        ),
        "es": (
            (
                "¿Con qué país o territorio se asocia más estrechamente el idioma {subject}?",
                "¿En qué lugar del mundo está más arraigado el siguiente idioma: {subject}?",
            ),
            (
                "En el mapa del mundo, el hogar principal del idioma {subject} es el siguiente: {object}.",
                "El idioma {subject} se vincula ante todo con este país o territorio: {object}.",
            ),
        ),
        "hi": (
            (
                "“{subject}” भाषा का सबसे गहरा संबंध किस देश या क्षेत्र से है?",
                "दुनिया में यह भाषा मुख्य रूप से कहाँ की मानी जाती है: {subject}?",
            ),
            (
                "विश्व के मानचित्र पर “{subject}” भाषा का प्रमुख स्थान यह है: {object}।",
                "“{subject}” को सबसे पहले इस देश या क्षेत्र की भाषा समझा जाता है: {object}।",
            ),
        ),
        "ru": (
            (
                "С какой страной или территорией теснее всего связан язык «{subject}»?",
                "К какому месту в мире прежде всего относят следующий язык: {subject}?",
            ),
            (
                "Главное место языка «{subject}» на карте мира: {object}.",
                "Язык «{subject}» в первую очередь соотносят со следующей страной или территорией: {object}.",
            ),
        ),
        "th": (
            (
                "ภาษา{subject}เกี่ยวข้องใกล้ชิดที่สุดกับประเทศหรือดินแดนใด",
                "ภาษาต่อไปนี้มีถิ่นหลักอยู่ที่ใดในโลก: ภาษา{subject}",
            ),
            (
                "บนแผนที่โลก ที่ตั้งสำคัญที่สุดของภาษา{subject}คือ{object}",
                "ภาษา{subject}ถือเป็นภาษาของประเทศหรือดินแดนต่อไปนี้ก่อนที่อื่น: {object}",
            ),
        ),
        "tr": (
            (
                "{subject} en çok hangi ülke veya bölgeyle bağlantılıdır?",
                "Şu dilin dünyadaki başlıca yurdu neresidir: {subject}?",
            ),
            (
                "Dünya haritasında {subject} için ana merkez şudur: {object}.",
                "{subject} her şeyden önce şu ülke veya bölgenin dili sayılır: {object}.",
            ),
        ),
        "vi": (
            (
                "{subject} gắn bó chặt chẽ nhất với quốc gia hoặc vùng lãnh thổ nào?",
                "Ngôn ngữ sau chủ yếu thuộc về nơi nào trên thế giới: {subject}?",
            ),
            (
                "Trên bản đồ thế giới, địa bàn chính của {subject} là {object}.",
                "{subject} trước hết được coi là tiếng nói của {object}.",
            ),
        ),
        "zh": (
            ("{subject}与哪个国家或地区的联系最密切？", "以下语言在世界上主要属于哪个地方：{subject}？"),
            ("在世界地图上，{subject}最主要的所在地是{object}。", "{subject}首先被视为{object}的语言。"),
        ),
    },
    "script_language": {
        "ar": (
            (
                "بأي لغة ترتبط الكتابة المسماة «{subject}» أوثق ارتباط؟",
                "ما اللغة التي يشتهر بها نظام الكتابة المسمى «{subject}»؟",
            ),
            (
                "تُستخدم الكتابة المسماة «{subject}» في المقام الأول لتدوين اللغة التالية: {object}.",
                "إذا ورد نص بالخط المسمى «{subject}» فالأرجح أنه بهذه اللغة: {object}.",
            ),
        ),
        "de": (
            (
                "Mit welcher Sprache ist die Schrift „{subject}“ am engsten verbunden?",
                "{subject}: Für welche Sprache ist dieses Schriftsystem vor allem bekannt?",
            ),
            (
                "Mit der Schrift „{subject}“ wird in erster Linie {object} geschrieben.",
                "{object} ist die wahrscheinlichste Sprache eines Textes im Schriftsystem „{subject}“.",
            ),
        ),
        "el": (
            (
                "Με ποια γλώσσα συνδέεται στενότερα η γραφή «{subject}»;",
                "Για ποια γλώσσα είναι περισσότερο γνωστό το εξής σύστημα γραφής: {subject};",
            ),
            (
                "Με τη γραφή «{subject}» γράφεται πρωτίστως η γλώσσα «{object}».",
                "Ένα κείμενο στο σύστημα γραφής «{subject}» είναι κατά πάσα πιθανότητα στην εξής γλώσσα: {object}.",
            ),
        ),
        "en": (
            (
                "Which language is most closely associated with the script called {subject}?",
                "{subject}: which language is this writing system best known for?",
            ),
            (
                "The script called {subject} is first of all a way to write {object}.",
                "{object} is the most likely language of a text in the following writing system: {subject}.",
            ),
        ),
        "es": (
            (
                "¿Con qué idioma se asocia más estrechamente la escritura llamada «{subject}»?",
                "¿Por qué idioma es más conocido el siguiente sistema de escritura: {subject}?",
            ),
            (
                "La escritura llamada «{subject}» sirve ante todo para poner por escrito el idioma {object}.",
                "El idioma {object} es el más probable en un texto con el sistema de escritura «{subject}».",
            ),
        ),
        "hi": (
            (
                "“{subject}” लिपि का सबसे गहरा संबंध किस भाषा से है?",
                "यह लेखन प्रणाली सबसे ज़्यादा किस भाषा के लिए जानी जाती है: {subject}?",
            ),
            (
                "“{subject}” लिपि मुख्य रूप से “{object}” भाषा लिखने के काम आती है।",
                "“{subject}” लेखन प्रणाली वाला पाठ पूरी संभावना से इस भाषा का होगा: {object}।",
            ),
        ),
        "ru": (
            (
                "С каким языком теснее всего связана письменность «{subject}»?",
                "Благодаря какому языку больше всего известна следующая система письма: {subject}?",
            ),
            (
                "Письменность «{subject}» служит прежде всего для записи языка «{object}».",
                "Текст, записанный системой письма «{subject}», вероятнее всего, составлен на следующем языке: "
                "{object}.",
            ),
        ),
        "th": (
            (
                "อักษรที่เรียกว่า “{subject}” เกี่ยวข้องใกล้ชิดที่สุดกับภาษาใด",
                "ระบบการเขียนต่อไปนี้เป็นที่รู้จักมากที่สุดจากภาษาใด: {subject}",
            ),
            (
                "ตัวอักษรที่เรียกว่า “{subject}” ใช้เขียนภาษา{object}เป็นหลัก",
                "ข้อความในระบบการเขียน “{subject}” น่าจะเป็นภาษา{object}มากที่สุด",
            ),
        ),
        "tr": (
            (
                "“{subject}” adlı yazı en çok hangi dille bağlantılıdır?",
                "Şu yazı sistemi en çok hangi dille tanınır: {subject}?",
            ),
            (
                "“{subject}” adlı yazı öncelikle şu dili yazmaya yarar: {object}.",
                "“{subject}” yazı sistemindeki bir metnin dili büyük olasılıkla şudur: {object}.",
            ),
        ),
        "vi": (
            (
                "Hệ chữ “{subject}” gắn bó chặt chẽ nhất với ngôn ngữ nào?",
                "Hệ thống chữ viết sau được biết đến nhiều nhất qua ngôn ngữ nào: {subject}?",
            ),
            (
                "Loại chữ “{subject}” chủ yếu dùng để viết {object}.",
                "Một văn bản viết theo hệ thống “{subject}” nhiều khả năng nhất là {object}.",
            ),
        ),
        "zh": (
            ("名为“{subject}”的文字与哪种语言的联系最密切？", "以下书写系统最为人所知的是用于哪种语言：{subject}？"),
            ("名为“{subject}”的文字主要用来书写{object}。", "用书写系统“{subject}”写成的文本最有可能是{object}。"),
        ),
    },
}
