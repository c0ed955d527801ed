"""The invented customers of Ateliers Kerdoncuff: how each pays, and what is special about some.

Everybody and every company here is imaginary; addresses end in .example (RFC 2606).
"""

from dataclasses import dataclass
from typing import Literal

CAMILLE, YANN = "camille", "yann"

Habit = Literal["good", "usual", "late", "very_late"]
Anchor = Literal["departure", "today", "run1", "run2", "run3"]
"""What an offset in days counts from: the next departure, today, or one of the last three runs."""


@dataclass(frozen=True)
class Promise:
    """Made `made` days before today, for `until` days before today (negative: to come)."""

    made: int
    until: int
    cents: int | None = None


@dataclass(frozen=True)
class Open:
    """An invoice still open today: due `days` after its anchor, for `cents`."""

    anchor: Anchor
    days: int
    cents: int
    site: str = ""
    paid_cents: int = 0
    paid_days_ago: int = 0
    disputed_days_ago: int = 0
    dispute: str = ""
    promise: Promise | None = None
    mode: str = ""


@dataclass(frozen=True)
class Contact:
    name: str
    role: str
    email: str = ""
    phone: str = ""
    is_default: bool = False
    sites: tuple[str, ...] = ()


@dataclass(frozen=True)
class Client:
    """`rate`: invoices a year; `euros`: their usual range; `terms`: calendar days to pay."""

    name: str
    domain: str
    city: str
    postcode: str
    habit: Habit = "usual"
    rate: float = 5.0
    euros: tuple[int, int] = (300, 4000)
    terms: int = 30
    plan: Literal["standard", "accounts", "invoice", ""] = "standard"
    manager: str = YANN
    mailbox: str = "compta"
    regime: str = "business"
    mode: str = "transfer"
    contacts: tuple[Contact, ...] = ()
    sites: tuple[str, ...] = ()
    opened: tuple[Open, ...] = ()
    credit_cents: int = 0
    left_to_do: bool = False
    """Its latest manual actions still wait for their owner today."""
    state: Literal["", "excluded", "hold", "judgment"] = ""
    new: bool = False
    """No past: its first invoices are those in `opened`."""

    @property
    def email(self) -> str:
        """Empty when the customer has given none."""
        return f"{self.mailbox}@{self.domain}.example" if self.mailbox else ""


SCRIPTED = (
    Client(
        "Cinéma L’Éden",
        "cinema-eden",
        "Quimper",
        "29000",
        "late",
        4,
        (900, 5000),
        manager=CAMILLE,
        left_to_do=True,
        contacts=(Contact("M. Hascoët", "directeur", "direction@cinema-eden.example"),),
        opened=(Open("run3", -20, 3920_00),),
    ),
    Client(
        "Pharmacie Delmas",
        "pharmacie-delmas",
        "Quimper",
        "29000",
        "usual",
        6,
        (400, 2500),
        plan="accounts",
        manager=CAMILLE,
        left_to_do=True,
        contacts=(
            Contact(
                "Mme Delmas",
                "titulaire",
                "compta@pharmacie-delmas.example",
                "02 98 00 01 02",
                is_default=True,
            ),
        ),
        opened=(Open("run2", -7, 1764_00), Open("run2", -4, 552_48)),
    ),
    Client(
        "Clinique des Halles",
        "clinique-des-halles",
        "Quimper",
        "29000",
        "late",
        6,
        (600, 6000),
        plan="accounts",
        manager=CAMILLE,
        left_to_do=True,
        opened=(Open("run2", -15, 1190_40),),
    ),
    Client(
        "Garage Lemoine",
        "garage-lemoine",
        "Pont-l’Abbé",
        "29120",
        "late",
        5,
        (200, 1800),
        manager=CAMILLE,
        left_to_do=True,
        opened=(Open("run2", -20, 948_72),),
    ),
    Client(
        "SCI Les Tilleuls",
        "sci-les-tilleuls",
        "Concarneau",
        "29900",
        "very_late",
        4,
        (1500, 7000),
        manager=CAMILLE,
        left_to_do=True,
        opened=(Open("run1", -28, 5402_16),),
    ),
    Client(
        "Mairie de Plomelin",
        "mairie-plomelin",
        "Plomelin",
        "29700",
        "late",
        8,
        (1500, 9000),
        plan="accounts",
        manager=CAMILLE,
        mailbox="finances",
        regime="public",
        left_to_do=True,
        contacts=(
            Contact("Mme Autret", "finances", "finances@mairie-plomelin.example", is_default=True),
            Contact("M. Le Berre", "services techniques", "technique@mairie-plomelin.example"),
        ),
        opened=(
            Open("run1", -7, 6120_00),
            Open("run1", -5, 4206_00),
            Open("run1", -3, 2160_00),
        ),
    ),
    Client(
        "Atelier Nogaret",
        "atelier-nogaret",
        "Douarnenez",
        "29100",
        "late",
        6,
        (500, 3000),
        opened=(Open("departure", -12, 1828_90), Open("departure", -9, 1200_00)),
    ),
    Client(
        "Boulangerie Ferrand",
        "boulangerie-ferrand",
        "Quimper",
        "29000",
        "usual",
        6,
        (200, 900),
        opened=(Open("departure", -7, 612_35),),
    ),
    Client(
        "Domaine de Valfleury",
        "valfleury",
        "Fouesnant",
        "29170",
        "good",
        5,
        (800, 4000),
        opened=(Open("departure", 3, 1875_00),),
    ),
    Client(
        "Menuiserie Caradec",
        "menuiserie-caradec",
        "Rosporden",
        "29140",
        "usual",
        6,
        (400, 2500),
        opened=(Open("departure", 3, 1640_20),),
    ),
    Client(
        "Café des Arts",
        "cafe-des-arts",
        "Quimper",
        "29000",
        "usual",
        5,
        (150, 800),
        opened=(Open("departure", -7, 486_00),),
    ),
    Client(
        "Restaurant Chez Simone",
        "chez-simone",
        "Bénodet",
        "29950",
        "late",
        5,
        (200, 1500),
        opened=(Open("departure", -7, 780_00),),
    ),
    Client(
        "Roussel BTP",
        "roussel-btp",
        "Ergué-Gabéric",
        "29500",
        "late",
        7,
        (1500, 9000),
        opened=(Open("run1", -7, 9214_80),),
    ),
    Client(
        "Crèche Les Petits Pas",
        "petits-pas",
        "Quimper",
        "29000",
        "good",
        5,
        (200, 900),
        opened=(Open("departure", 3, 431_50),),
    ),
    Client(
        "Chantier Quai Ouest",
        "quai-ouest",
        "Lorient",
        "56100",
        mailbox="",
        new=True,
        contacts=(Contact("M. Le Dantec", "conducteur de travaux", "", "06 00 00 02 03"),),
        opened=(Open("run1", 3, 2740_00),),
    ),
    Client(
        "Ferme de Kerloc’h",
        "ferme-kerloch",
        "Crozon",
        "29160",
        mailbox="",
        new=True,
        opened=(Open("run2", -7, 1900_00), Open("departure", 6, 1240_00)),
    ),
    Client(
        "Imprimerie Le Bihan",
        "imprimerie-lebihan",
        "Quimper",
        "29000",
        "usual",
        6,
        (300, 2500),
        opened=(Open("run1", -7, 1022_00),),
    ),
    Client(
        "Imprimerie Duvernay",
        "duvernay",
        "Brest",
        "29200",
        "late",
        8,
        (600, 4000),
        manager=CAMILLE,
        credit_cents=240_00,
        sites=("Atelier de Brest", "Dépôt du Relecq"),
        contacts=(
            Contact("M. Duvernay", "gérant", "p.duvernay@duvernay.example"),
            Contact("Service comptable", "comptabilité", "compta@duvernay.example", is_default=True),
            Contact(
                "Mme Rannou", "chef d’atelier", "atelier@duvernay.example", sites=("Atelier de Brest",)
            ),
        ),
        opened=(
            Open(
                "today",
                -25,
                2280_00,
                disputed_days_ago=19,
                dispute="Quantités livrées contestées, bon de livraison demandé.",
            ),
            Open("today", -11, 4812_00, paid_cents=1600_00, paid_days_ago=6),
            Open("today", -4, 1146_60, site="Dépôt du Relecq"),
            Open("today", 18, 960_00),
        ),
    ),
    Client(
        "Hôtel Beauséjour",
        "beausejour",
        "Bénodet",
        "29950",
        "late",
        6,
        (1200, 6000),
        sites=("Hôtel, aile nord", "Hôtel, restaurant"),
        contacts=(
            Contact("M. Cariou", "directeur", "direction@beausejour.example"),
            Contact(
                "Mme Abgrall",
                "comptable",
                "compta@beausejour.example",
                "02 98 00 03 04",
                sites=("Hôtel, aile nord",),
            ),
            Contact(
                "M. Kervella",
                "intendant",
                "intendance@beausejour.example",
                sites=("Hôtel, aile nord",),
            ),
        ),
        opened=(Open("today", -18, 3920_00, site="Hôtel, aile nord"),),
    ),
    Client(
        "Polyclinique Océane",
        "polyclinique-oceane",
        "Brest",
        "29200",
        "late",
        8,
        (2000, 9000),
        plan="accounts",
        manager=CAMILLE,
        opened=(
            Open(
                "today",
                -98,
                9905_40,
                disputed_days_ago=88,
                dispute="Réserves sur la pose des plans de travail, expertise en cours.",
            ),
            Open("today", 9, 3480_00),
        ),
    ),
    Client(
        "Transports Guivarc’h",
        "transports-guivarch",
        "Landivisiau",
        "29400",
        "very_late",
        6,
        (900, 4000),
        opened=(Open("today", -33, 3000_00, promise=Promise(10, 4)),),
    ),
    Client(
        "Café de la Poste",
        "cafe-de-la-poste",
        "Châteaulin",
        "29150",
        "late",
        5,
        (150, 900),
        opened=(
            Open(
                "today",
                -21,
                415_80,
                paid_cents=200_00,
                paid_days_ago=7,
                promise=Promise(9, 6, 415_80),
            ),
        ),
    ),
    Client(
        "Brasserie des Glénan",
        "brasserie-glenan",
        "Concarneau",
        "29900",
        "late",
        6,
        (500, 3500),
        opened=(Open("today", -16, 2640_00, promise=Promise(3, -9, 2640_00)),),
    ),
    Client(
        "Garage Le Roux",
        "garage-leroux",
        "Quimperlé",
        "29300",
        "good",
        7,
        (250, 1500),
        mode="direct_debit",
        opened=(Open("today", -22, 948_72), Open("today", -11, 784_80)),
    ),
    Client(
        "Boulangerie Guéguen",
        "boulangerie-gueguen",
        "Quimperlé",
        "29300",
        "good",
        7,
        (200, 900),
        mode="direct_debit",
        opened=(Open("today", 7, 612_35),),
    ),
    Client(
        "Crêperie du Steïr",
        "creperie-steir",
        "Quimper",
        "29000",
        "good",
        6,
        (150, 700),
        mode="direct_debit",
        opened=(Open("today", -19, 420_00), Open("today", -10, 360_00)),
    ),
    Client(
        "Kerdoncuff Immobilier",
        "kerdoncuff-immobilier",
        "Quimper",
        "29000",
        "very_late",
        3,
        (1000, 5000),
        manager=CAMILLE,
        state="excluded",
        opened=(Open("today", -41, 4350_00),),
    ),
    Client(
        "Camping de la Baie",
        "camping-de-la-baie",
        "Telgruc-sur-Mer",
        "29560",
        "usual",
        4,
        (800, 4500),
        state="hold",
        opened=(Open("today", -14, 2310_00),),
    ),
    Client(
        "Moulin Vert Traiteur",
        "moulin-vert",
        "Scaër",
        "29390",
        "very_late",
        5,
        (400, 2500),
        state="judgment",
        opened=(Open("today", -64, 1870_00), Open("today", -5, 645_00)),
    ),
    Client(
        "Librairie L’Encre bleue",
        "encre-bleue",
        "Quimper",
        "29000",
        "usual",
        5,
        (150, 900),
        credit_cents=640_00,
        opened=(Open("today", -13, 640_00),),
    ),
    Client(
        "Association Les Amis du phare",
        "amis-du-phare",
        "Penmarc’h",
        "29760",
        "late",
        3,
        (100, 700),
        plan="",
        opened=(Open("today", -27, 318_00),),
    ),
    Client(
        "M. et Mme Jaouen",
        "jaouen",
        "Audierne",
        "29770",
        "usual",
        2,
        (800, 5000),
        mailbox="famille",
        regime="consumer",
        opened=(Open("departure", -7, 1480_00),),
    ),
)

REGULARS = (
    Client("Agence Ar Mor", "ar-mor", "Quimper", "29000", "good", 6, (400, 2200)),
    Client("Architectes Rivage", "rivage", "Brest", "29200", "late", 7, (900, 5500)),
    Client("Auberge du Cap", "auberge-du-cap", "Plogoff", "29770", "late", 5, (300, 2600)),
    Client("Bijouterie Salaün", "bijouterie-salaun", "Quimper", "29000", "good", 4, (250, 1800)),
    Client("Biscuiterie du Léon", "biscuiterie-leon", "Morlaix", "29600", "usual", 7, (600, 3800)),
    Client("Cabinet Perrot et associés", "cabinet-perrot", "Quimper", "29000", "good", 5),
    Client("Chocolaterie Morvan", "choco-morvan", "Landerneau", "29800", "usual", 6),
    Client("Coiffure Ty Blev", "ty-blev", "Quimper", "29000", "usual", 4, (150, 900)),
    Client("Collège Saint-Corentin", "saint-corentin", "Quimper", "29000", "late", 5, (900, 5200)),
    Client("Conserverie Penn Sardin", "penn-sardin", "Douarnenez", "29100", "usual", 9, (700, 4800)),
    Client("Cycles Bodénès", "cycles-bodenes", "Brest", "29200", "good", 5, (200, 1400)),
    Client("Dentistes du Port", "dentistes-du-port", "Concarneau", "29900", "usual", 5),
    Client("École de voile Lodi", "voile-lodi", "Loctudy", "29750", "late", 4, (300, 2100)),
    Client("EHPAD Les Camélias", "les-camelias", "Fouesnant", "29170", "late", 8, plan="invoice"),
    Client("Épicerie Tréguier", "epicerie-treguier", "Tréguier", "22220", "good", 5, (150, 900)),
    Client("Fleurs de Cornouaille", "fleurs-cornouaille", "Quimper", "29000", "usual", 6, (150, 800)),
    Client("Fromagerie Kerguélen", "kerguelen", "Carhaix", "29270", "usual", 6, plan="invoice"),
    Client("Galerie Quai Neuf", "quai-neuf", "Pont-Aven", "29930", "very_late", 4, (400, 3000)),
    Client("Groupe Armorique Santé", "armorique-sante", "Brest", "29200", "late", 10, plan="accounts"),
    Client("Hôtel de la Corniche", "la-corniche", "Morgat", "29160", "usual", 6, (700, 4200)),
    Client("Institut Marée haute", "maree-haute", "Roscoff", "29680", "good", 5, (300, 1900)),
    Client("Lycée Anne de Bretagne", "lycee-anne", "Brest", "29200", "late", 6, plan="accounts"),
    Client("Maison Le Floc’h", "maison-lefloch", "Lesneven", "29260", "usual", 6),
    Client("Nautisme Iroise", "nautisme-iroise", "Camaret", "29570", "very_late", 5, (500, 3600)),
    Client("Office notarial Quéré", "notaires-quere", "Quimper", "29000", "good", 5, (400, 2400)),
    Client("Pépinières du Trieux", "pepinieres-trieux", "Paimpol", "22500", "usual", 6, plan="invoice"),
    Client("Poissonnerie Riec", "poissonnerie-riec", "Riec-sur-Bélon", "29340", "usual", 6),
    Client("Résidence Ker Avel", "ker-avel", "Bénodet", "29950", "late", 7, plan="invoice"),
    Client("Salaisons Bescond", "salaisons-bescond", "Lampaul", "29830", "usual", 8, (800, 4600)),
    Client("Syndic Odet Gestion", "odet-gestion", "Quimper", "29000", "late", 9, plan="accounts"),
)

CLIENTS = (*SCRIPTED, *REGULARS)
