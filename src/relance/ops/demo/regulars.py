"""The other customers of Ateliers Kerdoncuff: they buy, and pay in their own way."""

from relance.ops.demo.clients import Client, Open

REGULARS = (
    Client("Agence Ar Mor", "ar-mor", "Quimper", "29000", "good", 6, (400, 2200)),
    Client("Architectes Rivage", "rivage", "Brest", "29200", "late", 7, (900, 5500)),
    Client("Auberge du Cap", "auberge-du-cap", "Plogoff", "29770", "late", 5, (300, 2600)),
    Client(
        "Bijouterie Salaün",
        "bijouterie-salaun",
        "Quimper",
        "29000",
        "good",
        4,
        (250, 1800),
        opened=(Open("departure", -7, 1386_00),),
    ),
    Client("Biscuiterie du Léon", "biscuiterie-leon", "Morlaix", "29600", "usual", 7, (600, 3800)),
    Client("Cabinet Perrot et associés", "cabinet-perrot", "Quimper", "29000", "good", 5),
    Client(
        "Chocolaterie Morvan",
        "choco-morvan",
        "Landerneau",
        "29800",
        "usual",
        6,
        opened=(Open("departure", -7, 858_00),),
    ),
    Client("Coiffure Ty Blev", "ty-blev", "Quimper", "29000", "usual", 4, (150, 900)),
    Client("Collège Saint-Corentin", "saint-corentin", "Quimper", "29000", "late", 5, (900, 5200)),
    Client(
        "Conserverie Penn Sardin", "penn-sardin", "Douarnenez", "29100", "usual", 9, (700, 4800)
    ),
    Client("Cycles Bodénès", "cycles-bodenes", "Brest", "29200", "good", 5, (200, 1400)),
    Client("Dentistes du Port", "dentistes-du-port", "Concarneau", "29900", "usual", 5),
    Client("École de voile Lodi", "voile-lodi", "Loctudy", "29750", "late", 4, (300, 2100)),
    Client("EHPAD Les Camélias", "les-camelias", "Fouesnant", "29170", "late", 8, plan="invoice"),
    Client("Épicerie Tréguier", "epicerie-treguier", "Tréguier", "22220", "good", 5, (150, 900)),
    Client(
        "Fleurs de Cornouaille", "fleurs-cornouaille", "Quimper", "29000", "usual", 6, (150, 800)
    ),
    Client("Fromagerie Kerguélen", "kerguelen", "Carhaix", "29270", "usual", 6, plan="invoice"),
    Client("Galerie Quai Neuf", "quai-neuf", "Pont-Aven", "29930", "very_late", 4, (400, 3000)),
    Client(
        "Groupe Armorique Santé", "armorique-sante", "Brest", "29200", "late", 10, plan="accounts"
    ),
    Client(
        "Hôtel de la Corniche",
        "la-corniche",
        "Morgat",
        "29160",
        "usual",
        6,
        (700, 4200),
        opened=(Open("departure", 3, 2964_00),),
    ),
    Client("Institut Marée haute", "maree-haute", "Roscoff", "29680", "good", 5, (300, 1900)),
    Client("Lycée Anne de Bretagne", "lycee-anne", "Brest", "29200", "late", 6, plan="accounts"),
    Client("Maison Le Floc’h", "maison-lefloch", "Lesneven", "29260", "usual", 6),
    Client("Nautisme Iroise", "nautisme-iroise", "Camaret", "29570", "very_late", 5, (500, 3600)),
    Client("Office notarial Quéré", "notaires-quere", "Quimper", "29000", "good", 5, (400, 2400)),
    Client(
        "Pépinières du Trieux", "pepinieres-trieux", "Paimpol", "22500", "usual", 6, plan="invoice"
    ),
    Client("Poissonnerie Riec", "poissonnerie-riec", "Riec-sur-Bélon", "29340", "usual", 6),
    Client("Résidence Ker Avel", "ker-avel", "Bénodet", "29950", "late", 7, plan="invoice"),
    Client("Salaisons Bescond", "salaisons-bescond", "Lampaul", "29830", "usual", 8, (800, 4600)),
    Client("Syndic Odet Gestion", "odet-gestion", "Quimper", "29000", "late", 9, plan="accounts"),
)
