"""Names, places and spellings: the words the demo company's systems use, tidy and untidy."""

from __future__ import annotations

INDUSTRY_SPELLINGS: dict[str, tuple[str, ...]] = {
    "Computer Software": ("COMPUTER_SOFTWARE", "Computer Software", "Software", "SaaS", "computer software"),
    "Financial Services": ("FINANCIAL_SERVICES", "Financial Services", "Finance", "financial services"),
    "Internet": ("INTERNET", "Internet", "internet"),
    "Hospital & Health Care": ("HOSPITAL_HEALTH_CARE", "Hospital & Health Care", "Healthcare", "Health Care"),
    "Construction": ("CONSTRUCTION", "Construction", "construction"),
    "Retail": ("RETAIL", "Retail", "retail"),
    "Marketing & Advertising": ("MARKETING_AND_ADVERTISING", "Marketing and Advertising", "Marketing & Advertising"),
    "Logistics & Supply Chain": ("LOGISTICS_AND_SUPPLY_CHAIN", "Logistics and Supply Chain", "Logistics"),
    "Insurance": ("INSURANCE", "Insurance", "insurance"),
    "Education Management": ("EDUCATION_MANAGEMENT", "Education Management", "Education"),
}
"""The name the pipeline shows, and how the CRM has it: HubSpot's own value first, then what people imported."""

INDUSTRIES: tuple[str, ...] = tuple(INDUSTRY_SPELLINGS)

COUNTRY_SPELLINGS: dict[str, tuple[str, ...]] = {
    "US": ("United States", "US", "united states", "USA"),
    "GB": ("United Kingdom", "GB", "united kingdom", "UK"),
    "DE": ("Germany", "DE", "germany"),
    "FR": ("France", "FR", "france"),
    "NL": ("Netherlands", "NL", "netherlands"),
    "CA": ("Canada", "CA", "canada"),
    "AU": ("Australia", "AU", "australia"),
    "IN": ("India", "IN", "india"),
}
COUNTRIES: tuple[str, ...] = tuple(COUNTRY_SPELLINGS)

CITIES: dict[str, tuple[str, ...]] = {
    "US": ("New York", "Austin", "Chicago", "Denver", "Seattle"),
    "GB": ("London", "Leeds", "Bristol"),
    "DE": ("Berlin", "München", "Köln"),
    "FR": ("Paris", "Lyon"),
    "NL": ("Amsterdam", "Utrecht"),
    "CA": ("Toronto", "Montréal"),
    "AU": ("Sydney", "Melbourne"),
    "IN": ("Bengaluru", "Pune"),
}
TOP_LEVEL: dict[str, tuple[str, ...]] = {
    "US": ("com", "com", "io"),
    "GB": ("co.uk", "com"),
    "DE": ("de",),
    "FR": ("fr", "com"),
    "NL": ("nl", "com"),
    "CA": ("ca", "com"),
    "AU": ("com.au",),
    "IN": ("co.in", "com"),
}
CURRENCY: dict[str, str] = {"GB": "GBP", "DE": "EUR", "FR": "EUR", "NL": "EUR"}

REGIONS: tuple[str, ...] = ("North", "East", "South", "West", "Central")
BUSINESS_MODELS: tuple[str, ...] = ("B2B SaaS", "Marketplace", "Services", "Manufacturing")
OWNER_TEAMS: tuple[str, ...] = ("Falcon", "Heron", "Kestrel", "Osprey")
LOGO_STYLES: tuple[str, ...] = ("Wordmark", "Monogram", "Emblem", "Abstract", "Mascot")
MONTHS: tuple[str, ...] = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

NAME_HEADS: tuple[str, ...] = (
    "Amber", "Alder", "Anvil", "Arbor", "Aspen", "Basalt", "Beacon", "Birch", "Bramble", "Brisk",
    "Cedar", "Cinder", "Clover", "Cobalt", "Copper", "Coral", "Crest", "Dapple", "Delta", "Drift",
    "Ember", "Fable", "Fathom", "Fern", "Flint", "Garnet", "Glacier", "Granite", "Harbor", "Hazel",
    "Heath", "Indigo", "Ivory", "Jasper", "Juniper", "Kelp", "Lantern", "Larch", "Linden", "Lunar",
    "Maple", "Marble", "Meadow", "Mistral", "Nimbus", "Northern", "Oaken", "Onyx", "Opal", "Orchard",
    "Pebble", "Pine", "Prairie", "Quartz", "Quill", "Raven", "Ridge", "River", "Rowan", "Russet",
)  # fmt: skip
NAME_MIDDLES: tuple[str, ...] = (
    "anchor", "bay", "bell", "bird", "bridge", "brook", "cairn", "cliff", "crane", "creek",
    "dale", "field", "finch", "ford", "forge", "fox", "gate", "glen", "grove", "hart",
    "hawk", "haven", "hill", "hollow", "key", "lake", "lark", "leaf", "loom", "mark",
    "mill", "moor", "otter", "peak", "port", "reed", "rock", "sail", "spring", "stone",
    "thorn", "tide", "tower", "vale", "wharf", "wick", "wind", "wolf", "wood", "wren",
)  # fmt: skip
NAME_TAILS: tuple[str, ...] = (
    "Analytics", "Collective", "Dynamics", "Group", "Industries", "Labs", "Networks", "Partners", "Systems",
    "Solutions", "Supply", "Works",
)  # fmt: skip

SHARED_SITES: tuple[str, ...] = (
    "gmail.com",
    "yahoo.com",
    "https://www.linkedin.com/company/{slug}",
    "https://www.facebook.com/{slug}",
    "https://{slug}.wordpress.com",
)
"""What sales people type when a company has no site of its own: never a company's domain."""

UNPARSEABLE_EMPLOYEES: tuple[str, ...] = ("n/a", "unknown", "1-10")
UNPARSEABLE_REVENUE: tuple[str, ...] = ("n/a", "~5M", "confidential")
UNPARSEABLE_AMOUNT: tuple[str, ...] = ("TBD", "call me")

FIRST_NAMES: tuple[str, ...] = ("alex", "dana", "jo", "kim", "lee", "max", "noor", "pat", "robin", "sam", "yuki", "zoe")
COMMENTS: tuple[str, ...] = ("", "", "", "Does what we need.", "Setup took long", "Great support!", "pricey; but good")
EVENTS: tuple[tuple[str, int], ...] = (
    ("RevSummit", 3),
    ("Data Harvest", 5),
    ("SaaS Shoreline", 9),
    ("OpsCon", 11),
)
"""Yearly conferences and the month they take place in."""

SELLS_TO: tuple[str, ...] = ("B2B", "B2C", "B2B2C", "Public sector")
OPERATING_MODELS: tuple[str, ...] = ("PLG", "Sales-led", "Partners", "Marketplace")
OWNERSHIPS: tuple[str, ...] = ("privately held", "VC-backed", "Private equity", "public company", "Non-profit")
FUNDING_STAGES: tuple[str, ...] = (
    "bootstrapped", "SEED", "SERIES_A", "Series B", "SERIES_C", "SERIES_D", "SERIES_E",
)  # fmt: skip
"""Stage after so many rounds, as the vendor writes it."""

COMPETITORS: tuple[str, ...] = ("Tallywise", "Quillbase", "Orbitdesk")
LINK_KINDS: tuple[str, ...] = ("Shared investor", "Board", "Partner", "Referral")
CHANNELS: tuple[str, ...] = ("Organic Search", "Direct", "Paid Search", "Referral", "Email", "Organic Social")
BUYING_ROLES: tuple[str, ...] = ("DECISION_MAKER", "CHAMPION", "END_USER", "INFLUENCER", "BUDGET_HOLDER")
SENIORITIES: tuple[str, ...] = ("entry", "senior", "manager", "director", "vp", "executive")
DEPARTMENTS: tuple[str, ...] = ("engineering", "marketing", "sales", "finance", "operations")
