"""The words that staging reads as a purpose of consent or as given and withdrawn, for check-source.

Add a word here and in dbt/macros/consents.sql, which a test compares with this.
What a consent permits stays out; the features decide that.
"""

PURPOSES: dict[str, tuple[str, ...]] = {
    "email": ("email", "e_mail", "email_marketing", "marketing_email", "newsletter"),
    "sms": ("sms", "text", "text_message", "sms_marketing", "marketing_sms"),
    "geo": ("geo", "geolocation", "location", "gps"),
    "profiling": ("profiling", "personalisation", "personalization"),
}
_GIVEN = "true t yes y 1 granted given on opt_in opted_in subscribed"
_WITHDRAWN = "false f no n 0 revoked withdrawn denied refused off opt_out opted_out unsubscribed"
GRANTING: dict[str, tuple[str, ...]] = {
    "true": tuple(_GIVEN.split()),
    "false": tuple(_WITHDRAWN.split()),
}


def consent_word(text: str, words: dict[str, tuple[str, ...]]) -> str:
    """SQL for the one word that a text stands for; NULL when it is none of them."""
    plain = f"replace(replace(lower({text}), ' ', '_'), '-', '_')"
    cases = " ".join(
        f"when {plain} in ({', '.join(repr(text) for text in texts)}) then '{word}'"
        for word, texts in words.items()
    )
    return f"case {cases} end"
