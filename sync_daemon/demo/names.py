"""Names, places and trades of the two demo agencies. Everybody here is invented."""

from __future__ import annotations

FIRST_NAMES = {
    "ZA": (
        "Thandiwe", "Sipho", "Nomvula", "Bongani", "Lerato", "Kagiso", "Zanele", "Mandla", "Refilwe", "Tshepo",
        "Annelize", "Pieter", "René", "Elmarié", "Hendrik", "Fatima", "Yusuf", "Ayesha", "Priya", "Ravi",
        "Siobhán", "Craig", "Megan", "Zoë", "Nkosinathi", "Palesa", "Vusi", "Ntombizodwa", "Jürgen", "Chloé",
    ),
    "ZW": (
        "Tendai", "Rudo", "Tatenda", "Chipo", "Farai", "Nyasha", "Tafadzwa", "Rumbidzai", "Kudzai", "Shamiso",
        "Simbarashe", "Vimbai", "Blessing", "Tinashe", "Ruvimbo", "Sibusiso", "Nokuthula", "Thabani", "Nomalanga",
        "Praise", "Munashe", "Anesu", "Tapiwa", "Makanaka", "Tichaona", "Loveness", "Gift", "Memory",
        "Prosper", "Precious",
    ),
}

LAST_NAMES = {
    "ZA": (
        "Nkosi", "Dlamini", "van der Merwe", "Mokoena", "Botha", "Naidoo", "Khumalo", "Pillay", "O'Reilly", "Mthembu",
        "Fourie", "Jacobs", "Molefe", "de Villiers", "Sithole", "Govender", "Malan", "Ngcobo", "Abrahams", "Müller",
        "Du Plessis", "Radebe", "Janse van Rensburg", "Mahlangu", "D'Oliveira", "Adams", "Tshabalala",
        "Coetzee", "Patel", "Zwane",
    ),
    "ZW": (
        "Moyo", "Ncube", "Chikwanha", "Sibanda", "Mutasa", "Dube", "Chirwa", "Mapfumo", "Nyathi", "Gumbo",
        "Makoni", "Zvobgo", "Hove", "Mpofu", "Chigumba", "Ndlovu", "Madziva", "Tshuma", "Chinamasa", "Marufu",
        "Mukanya", "Bhebhe", "Chidzero", "Nkomo", "Muchena", "Gwatidzo", "Nyoni", "Mandaza", "Chitando", "Mlambo",
    ),
}

PLACES = {
    "ZA": (
        "Umhlanga", "Sandton", "Stellenbosch", "Mbombela", "Soweto", "Gqeberha", "Polokwane", "Bloemfontein",
        "Khayelitsha", "Rustenburg", "Knysna", "Upington",
    ),
    "ZW": (
        "Borrowdale", "Bulawayo", "Mutare", "Gweru", "Masvingo", "Chinhoyi", "Kariba", "Marondera",
        "Victoria Falls", "Kadoma", "Chitungwiza", "Nyanga",
    ),
}

PROVINCES = {
    "ZA": (
        "KwaZulu-Natal", "Gauteng", "Western Cape", "Mpumalanga", "Gauteng", "Eastern Cape", "Limpopo", "Free State",
        "Western Cape", "North West", "Western Cape", "Northern Cape",
    ),
    "ZW": (
        "Harare", "Bulawayo", "Manicaland", "Midlands", "Masvingo", "Mashonaland West", "Mashonaland West",
        "Mashonaland East", "Matabeleland North", "Mashonaland West", "Harare", "Manicaland",
    ),
}

STREETS = (
    "Nelson Mandela Avenue", "Church Street", "Samora Machel Avenue", "Long Street", "Robert Mugabe Road",
    "Voortrekker Road", "Kwame Nkrumah Avenue", "Florida Road", "Jason Moyo Street", "Helen Joseph Street",
)

TRADES = (
    "Logistics", "Solar", "Catering", "Tiling & Plumbing", "Software", "Tours", "Poultry", "Construction", "Beauty",
    "Mining Supplies", "Attorneys", "Fresh Produce", "Security", "Couture", "Borehole Drilling", "Medical",
    "Auto Parts", "Printing", "Textiles", "Consulting",
)

MARKS = (
    "Ubuntu", "Baobab", "Sunbird", "Protea", "Kudu", "Msasa", "Great Dyke", "Amandla", "Zambezi", "Karoo",
    "Flame Lily", "Jacaranda", "Springhare", "Bateleur", "Mopane", "Indaba", "Tsodilo", "Highveld", "Impala", "Marula",
)

SUFFIXES = {
    "ZA": {"pty_ltd": " (Pty) Ltd", "close_corporation": " CC", "business_name": "", "vat_registration": " (Pty) Ltd"},
    "ZW": {
        "pty_ltd": " (Private) Limited",
        "close_corporation": " PBC",
        "business_name": "",
        "vat_registration": " (Private) Limited",
    },
}

# What real data holds sooner or later, and what integrations break on.
UNUSUAL_COMPANIES = (
    "Café Zürich & Søn (Pty) Ltd",
    "O'Brien's \"Best\" Biltong CC",
    "Mama Ntombi's Kitchen 🍲🌍",
    "شركة النيل للتجارة (Pty) Ltd",
    "חברת אור הנגב",
    "华人贸易 (Private) Limited",
    "1 & 2 <Holdings> (Pty) Ltd",
    "'; DROP TABLE registrations; --",
    "Ŵynford Ævar Ñandú Trading",
    "C:\\Projects\\New {0} %s ${HOME} (Pty) Ltd",
    "=SUM(A1:A9) Bookkeeping CC",
    "👨‍👩‍👧‍👦 Family Trust & Sons",
    "Ngoma yeZimbabwe ♫ Studios",
    "Łódź–Öğretmen Importers",
    "NULL",
)

UNUSUAL_PEOPLE = (
    "Nomzamo \"Zami\" O'Connor-Ngũgĩ",
    "محمد الأمين",
    "שרה לוי",
    "李小龍",
    "Anaïs d'Hérelle-Mbatha",
    "Þórður Æsir 🌟",
    "Zsófia Kovács-Naidoo, LL.B.",
    "N!xau ǂToma",
)

REJECTION_REASONS = (
    "The proposed name is too close to that of a company already on the register.",
    "Proof of address is older than three months.\nPlease send a new one.",
    "Director's ID copy isn't certified (\"certified\" means stamped & signed).",
    "Names reserved for state bodies can't be used – see regulation 8(2)(b).",
)


def of_length(text: str, length: int) -> str:
    """The text, repeated with blanks between and cut to exactly this many characters; never a blank at the end."""
    repeated = " ".join([text] * (length // len(text) + 1))[:length]
    return repeated if not repeated.endswith(" ") else repeated[:-1] + "."
