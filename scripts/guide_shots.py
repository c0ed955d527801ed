"""Which pictures the README and the guide need: addresses and gestures, page after page."""

from urllib.parse import urljoin

from playwright.sync_api import Page
from shots import Gesture, Shot, as_read, at, choose, click, key, rest, text, tick

SECOND = "Second rappel\u00a0(2)"
INVOICES = """Code client;Nom du client;Numéro;Date;Échéance;Montant TTC;E-mail
C9001;Quincaillerie Bihan;F-90012;03/11/2026;03/12/2026;1 284,60;compta@bihan.example
C9002;Torréfaction Kemper;F-90013;04/11/2026;04/12/2026;417,20;contact@kemper.example
C9003;Atelier vélo Pors;F-90014;05/11/2026;32/12/2026;96,00;
"""


def give_invoices(page: Page) -> None:
    """Give a small file of invoices, one line of it wrong."""
    page.locator("input[type=file]").first.set_input_files(
        {"name": "factures.csv", "mimeType": "text/csv", "buffer": INVOICES.encode()}
    )
    page.wait_for_url("**/colonnes/")
    rest(page)


def start_over(page: Page) -> None:
    """Leave the search that was begun, if any."""
    begun = page.get_by_role("link", name="Recommencer")
    if begun.count():
        begun.first.click()
        rest(page)


def row(words: str) -> Gesture:
    """Follow the link of the row that holds these words."""
    return at(f"main tr:has-text('{words}') a")


def record(name: str, tab: str = "") -> tuple[Gesture, ...]:
    """The record of a client, found in the list; `tab` as the address calls it."""

    def gesture(page: Page) -> None:
        link = page.get_by_role("link", name="Ouvrir la fiche").first
        address = urljoin(page.url, link.get_attribute("href") or "")
        page.goto(f"{address}?onglet={tab}" if tab else address)
        rest(page)

    return text(name), gesture


README = (
    Shot("today", ""),
    Shot("dashboard", "tableau-de-bord/"),
    Shot("customer", "clients/", record("Imprimerie Duvernay")),
    Shot("plan", "plans/", (text("Standard"),)),
    Shot("today-dark", "", scheme="dark"),
    Shot("today-360", "", width=360, height=740),
    Shot("mail", "courrier/", (text("beausejour"),)),
)

PLANS = (
    Shot("plans-edition", "plans/", (text("Standard"),), height=860),
    Shot("plans-regles", "plans/regles/", height=640),
    Shot("plans-avant", "avant-envoi/", (text("Imprimerie Duvernay"),), height=860),
    Shot("plans-approuver", "avant-envoi/?vue=approuver", (text("Cave de l’Odet"),), height=860),
    Shot("plans-freins", "avant-envoi/?vue=freins", height=640),
)
MORNING = (
    Shot("matin-message", "", (text("Pharmacie Delmas"),), height=860),
    Shot("matin-touches", "", (key("?"),), height=720),
    Shot("matin-actions", "actions/?vue=toutes", height=640),
    Shot("matin-360", "", width=360, height=740),
    Shot("matin-sombre", "", height=720, scheme="dark"),
)
SEARCHED = (choose("Niveau de relance", SECOND), click("Rechercher"))
LOTS = (
    Shot(
        "lots-resultat",
        "relances-clients/",
        (start_over, at("main tbody tr:last-child a")),
        height=560,
    ),
    Shot("lots-filtres", "relances-clients/", (start_over, *SEARCHED[:1]), height=600),
    Shot("lots-liste", "relances-clients/", SEARCHED),
    Shot("lots-apercu", "relances-clients/", (*SEARCHED, at("#batch-bar button[value=apercu]"))),
    Shot("lots-courriers", "courriers/", height=520),
    Shot("lots-tirage", "courriers/?vue=tirages", (text("Tirage"),), height=600),
)
CHASE = (
    Shot("relancer-liste", "a-relancer/"),
    Shot("relancer-lot", "a-relancer/", (tick("Pharmacie Delmas", "Mairie de Plomelin"),)),
    Shot(
        "relancer-destinataires",
        "a-relancer/",
        (at("tr:has-text('Chantier Quai Ouest') a.chase-write"),),
    ),
    Shot("relancer-favoris", "clients/", record("Hôtel Beauséjour", "chantiers"), height=640),
)
DESK = (
    Shot("tableau-liste", "tableau-de-bord/", height=860),
    Shot("tableau-panneau", "tableau-de-bord/", (text("Hôtel Beauséjour"),), height=860),
    Shot(
        "tableau-plusieurs",
        "tableau-de-bord/?q=plomelin",
        (tick("Mairie de Plomelin"), tick("Mairie de Plomelin", place=1)),
        height=860,
    ),
    Shot(
        "tableau-ecrire",
        "tableau-de-bord/",
        (at("tr:has-text('Garage Lemoine') a.iconbtn >> nth=1"),),
        height=860,
    ),
    Shot("campagnes-brouillon", "campagnes/", (text("Point de fin d’année"),), height=860),
    Shot("campagnes-resultat", "campagnes/", (text("Factures par e-mail"),), height=720),
)
STATE = ".page-state"
WHY = (
    Shot("pourquoi-aucune", "clients/", record("Librairie L’Encre bleue"), STATE),
    Shot("pourquoi-a-envoyer", "clients/?q=Delmas", record("Pharmacie Delmas"), STATE),
    Shot("pourquoi-autre", "clients/?q=Roussel", record("Roussel BTP"), STATE),
    Shot("pourquoi-relancer", "clients/", record("Hôtel Beauséjour"), STATE),
    Shot("pourquoi-prochaine", "clients/", record("Atelier Nogaret"), STATE),
    Shot("pourquoi-fiche", "clients/", record("Imprimerie Duvernay"), height=860),
    Shot(
        "pourquoi-360", "clients/", record("Imprimerie Duvernay", "pourquoi"), width=360, height=740
    ),
)
OTHERS = (
    Shot("importer-fichier", "imports/nouveau/", height=560),
    Shot("importer-colonnes", "imports/nouveau/", (give_invoices,)),
    Shot("reglages-entreprise", "parametres/", height=640),
    Shot("reglages-mails", "parametres/mails/"),
    Shot("reglages-boite", "parametres/mails/", (text("facturation@"),)),
    Shot("recaps-preferences", "preferences/", height=860),
    Shot("recaps-semaine", "courrier/", (row("Impayés de la semaine"), as_read), width=360),
    Shot("recaps-jour", "courrier/", (row("à traiter aujourd"), as_read), width=360),
)
GUIDE = (*PLANS, *MORNING, *LOTS, *CHASE, *DESK, *WHY, *OTHERS)
