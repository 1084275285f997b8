"""Names, streets and places of an Iberian shop chain with a small British web trade.

Add here words that people, addresses or products are made of.
Which person carries which word stays out and is drawn in ``people`` and ``reference``.
"""

import unicodedata
from dataclasses import dataclass


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES = _words("""
María Carmen Lucía Sofía Martina Paula Julia Daniela Valeria Alba Emma Sara Laura Marta Andrea
Irene Cristina Pilar Rosa Teresa Elena Inés Beatriz Mariana Leonor Matilde Carolina Joana Rita
Catarina Nuria Raquel Silvia Mónica Olga Verónica Esther Eva Ángela Patricia
Antonio José Manuel Francisco David Juan Javier Daniel Alejandro Hugo Mateo Martín Lucas Leo
Pablo Álvaro Adrián Diego Mario Sergio Marcos Iván Jorge Alberto João Tiago Duarte Afonso
Rodrigo Tomás Gonçalo Miguel Rafael Andrés Rubén Óscar Víctor Ramón Enrique Vicente Salvador
Gabriel Samuel Nicolás Ignacio Joaquín
""")
FIRST_MALE_NAME = FIRST_NAMES.index("Antonio")
SURNAMES = _words("""
García Rodríguez González Fernández López Martínez Sánchez Pérez Gómez Martín Jiménez Hernández
Ruiz Díaz Moreno Muñoz Álvarez Romero Gutiérrez Alonso Navarro Torres Domínguez Ramos Vázquez
Ramírez Gil Serrano Morales Molina Blanco Suárez Castro Ortega Delgado Ortiz Marín Rubio Núñez
Medina Sanz Castillo Iglesias Cortés Garrido Santos Guerrero Lozano Cano Cruz Méndez Flores
Prieto Herrera Peña León Márquez Cabrera Gallego Calvo Vidal Campos Reyes Vega Fuentes Carrasco
Díez Aguilar Caballero Nieto Santana Vargas Pascual Giménez Herrero Hidalgo Montero Lorenzo
Santiago Benítez Durán Ibáñez Arias Mora Ferrer Carmona Vicente Rojas Soto Crespo Román Pastor
Velasco Parra Sáez Moya Bravo Rivera Gallardo Soler Silva Oliveira Pereira Ferreira Carvalho
Almeida Ribeiro Pinto Teixeira Moreira Correia Mendes Nunes Vieira Monteiro Cardoso Rocha
Marques Simões Antunes Tavares Coelho Matos Fonseca Lopes Baptista Freitas Barbosa
""")
STREETS = (
    "Calle Mayor", "Calle Real", "Avenida de la Constitución", "Calle Nueva", "Calle del Sol",
    "Plaza de España", "Calle San Juan", "Calle de la Iglesia", "Paseo Marítimo", "Calle Luna",
    "Avenida de Portugal", "Rua Augusta", "Rua das Flores", "Rua Direita", "Avenida da Liberdade",
    "Calle Colón", "Ronda del Norte", "Calle de los Olivos", "Travessa do Mar", "Calle Cervantes",
    "Calle Goya", "Avenida de América", "Rua do Carmo", "Calle del Río", "Camino Viejo",
    "Calle Santa Ana", "Rua da Escola", "Plaza del Mercado", "Calle Zaragoza", "Gran Vía",
)  # fmt: skip
MAIL_DOMAINS = ("gmail.com", "hotmail.com", "outlook.es", "yahoo.es", "sapo.pt", "icloud.com")
BRANDS = ("Alba", "Tejo", "Mesta", "Ribera", "Nortada", "Sierra", "Duna", "Casa Propia")


def without_accents(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words as systems without accents store them."""
    return tuple(
        unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode() for word in words
    )


@dataclass(frozen=True)
class Place:
    """A postal code and what regional statistics say about it."""

    postal_code: str
    city: str
    region: str
    country_code: str
    latitude: float
    longitude: float
    income_index: int
    urbanity: str
    share: float


_PLACE_LINES = """
28001 Madrid|Madrid|ES|40.42|-3.68|142|urban|9
28041 Madrid|Madrid|ES|40.37|-3.70|86|urban|8
28801 Alcalá de Henares|Madrid|ES|40.48|-3.36|97|suburban|5
08001 Barcelona|Cataluña|ES|41.38|2.17|108|urban|8
08017 Barcelona|Cataluña|ES|41.41|2.12|151|urban|5
08201 Sabadell|Cataluña|ES|41.55|2.11|99|suburban|4
17001 Girona|Cataluña|ES|41.98|2.82|112|suburban|3
46001 Valencia|Comunidad Valenciana|ES|39.47|-0.38|101|urban|7
03001 Alicante|Comunidad Valenciana|ES|38.35|-0.48|92|urban|5
41001 Sevilla|Andalucía|ES|37.39|-5.99|94|urban|6
29001 Málaga|Andalucía|ES|36.72|-4.42|93|urban|5
18001 Granada|Andalucía|ES|37.18|-3.60|90|urban|4
23400 Úbeda|Andalucía|ES|38.01|-3.37|74|rural|2
48001 Bilbao|País Vasco|ES|43.26|-2.93|127|urban|4
15001 A Coruña|Galicia|ES|43.37|-8.40|102|urban|4
36201 Vigo|Galicia|ES|42.24|-8.72|96|urban|3
37500 Ciudad Rodrigo|Castilla y León|ES|40.60|-6.53|79|rural|2
06001 Badajoz|Extremadura|ES|38.88|-6.97|78|suburban|2
1100-001 Lisboa|Lisboa|PT|38.71|-9.14|118|urban|6
4000-001 Porto|Norte|PT|41.15|-8.61|98|urban|5
3000-001 Coimbra|Centro|PT|40.21|-8.43|91|suburban|3
7000-001 Évora|Alentejo|PT|38.57|-7.91|82|rural|2
8000-001 Faro|Algarve|PT|37.02|-7.93|88|suburban|2
SW1A 1AA London|London|GB|51.50|-0.14|155|urban|3
M1 1AE Manchester|North West|GB|53.48|-2.24|95|urban|2
""".strip().splitlines()


def _places() -> tuple[Place, ...]:
    rows = [line.split("|") for line in _PLACE_LINES]
    total = sum(float(row[-1]) for row in rows)
    places = []
    for first, region, country, latitude, longitude, income, urbanity, weight in rows:
        words = 2 if country == "GB" else 1
        parts = first.split(" ")
        places.append(
            Place(
                " ".join(parts[:words]), " ".join(parts[words:]), region, country,
                float(latitude), float(longitude), int(income), urbanity, float(weight) / total,
            )
        )  # fmt: skip
    return tuple(places)


PLACES = _places()
