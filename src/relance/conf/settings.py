"""Django settings, read from the environment; every variable is documented in docs/settings.md."""

import os
import secrets
from datetime import datetime
from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF

DATA_DIR = Path(os.environ.get("RELANCE_DATA_DIR", "var")).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)


def _secret_key() -> str:
    """The key from the environment, else one made once and kept in the data directory."""
    if key := os.environ.get("RELANCE_SECRET_KEY"):
        return key
    path = DATA_DIR / "secret_key"
    if not path.exists():
        try:
            path.touch(mode=0o600, exist_ok=False)
            path.write_text(secrets.token_urlsafe(50))
        except FileExistsError:  # another process of the same start made it
            pass
    return path.read_text()


SECRET_KEY = _secret_key()
# Keys of before: what they signed or encrypted is still read (`relance rekey` encrypts anew).
SECRET_KEY_FALLBACKS = [
    key for key in os.environ.get("RELANCE_SECRET_KEY_FALLBACKS", "").split(",") if key
]
DEBUG = os.environ.get("RELANCE_DEBUG", "") == "1"
ALLOWED_HOSTS = os.environ.get("RELANCE_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("RELANCE_ORIGINS", "").split(",") if o]
HTTPS = os.environ.get("RELANCE_HTTPS", "") == "1"
# Where people reach the pages: links in mails begin with it.
PUBLIC_URL = os.environ.get(
    "RELANCE_URL", CSRF_TRUSTED_ORIGINS[0] if CSRF_TRUSTED_ORIGINS else "http://127.0.0.1:8000"
).rstrip("/")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "relance.accounts",
    "relance.history",
    "relance.ledger",
    "relance.bank",
    "relance.outbox",
    "relance.dunning",
    "relance.receipts",
    "relance.portal",
    "relance.web",
    "relance.ops",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "relance.web.middleware.LanguageMiddleware",
    "relance.web.middleware.DoorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "relance.web.middleware.ClockMiddleware",
]

ROOT_URLCONF = "relance.conf.urls"
WSGI_APPLICATION = "relance.conf.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "relance.web.context.shell",
            ],
        },
    }
]


def _database() -> dict[str, object]:
    """SQLite in the data directory, or whatever RELANCE_DATABASE_URL names.

    SQLite runs in WAL with IMMEDIATE transactions: writers queue instead of failing.
    """
    url = os.environ.get("RELANCE_DATABASE_URL") or f"sqlite:///{DATA_DIR / 'relance.sqlite3'}"
    database: dict[str, object] = dict(dj_database_url.parse(url, conn_max_age=60))
    if database["ENGINE"] == "django.db.backends.sqlite3":
        database["OPTIONS"] = {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32000;"
            ),
        }
    return database


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "fr"
LANGUAGES = [("fr", "Français"), ("en", "English")]
LOCALE_PATHS = [Path(__file__).resolve().parent.parent / "locale"]
TIME_ZONE = "Europe/Paris"
USE_TZ = True
USE_THOUSAND_SEPARATOR = False

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
MEDIA_ROOT = DATA_DIR / "files"
FILE_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
DATA_UPLOAD_MAX_MEMORY_SIZE = 5_000_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 12_000
IMPORT_MAX_BYTES = 50_000_000

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [SELF],
    }
}
X_FRAME_OPTIONS = "SAMEORIGIN"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000

# A provider's HTTP interface instead of a mail server: an extra (django-anymail).
EMAIL_PROVIDER = os.environ.get("RELANCE_EMAIL_PROVIDER", "")
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
if EMAIL_PROVIDER:
    EMAIL_BACKEND = f"anymail.backends.{EMAIL_PROVIDER}.EmailBackend"
    INSTALLED_APPS.append("anymail")
ANYMAIL: dict[str, object] = {
    name.removeprefix("RELANCE_ANYMAIL_"): value
    for name, value in os.environ.items()
    if name.startswith("RELANCE_ANYMAIL_")
}
ANYMAIL.setdefault("REQUESTS_TIMEOUT", (10, 60))
EMAIL_HOST = os.environ.get("RELANCE_SMTP_HOST", "127.0.0.1")
EMAIL_PORT = int(os.environ.get("RELANCE_SMTP_PORT", "25"))
EMAIL_HOST_USER = os.environ.get("RELANCE_SMTP_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("RELANCE_SMTP_PASSWORD", "")
EMAIL_USE_TLS = os.environ.get("RELANCE_SMTP_TLS", "") == "starttls"
EMAIL_USE_SSL = os.environ.get("RELANCE_SMTP_TLS", "") == "tls"
EMAIL_TIMEOUT = 30
# Mailboxes that people connect are on the public network, unless the installation says otherwise.
SMTP_PRIVATE_NETWORKS = os.environ.get("RELANCE_SMTP_PRIVATE", "") == "1"
# A mail heavier than this links to its PDFs on the portal; many servers refuse 10 MB.
MAIL_MAX_BYTES = int(float(os.environ.get("RELANCE_MAIL_MAX_MB", "8")) * 1_000_000)
DEFAULT_FROM_EMAIL = os.environ.get("RELANCE_FROM", "relances@localhost")
# Where dossiers receive mail: `collect@…` (each is collect+key@…) or `@…` (each is key@…).
INBOUND_ADDRESS = os.environ.get("RELANCE_INBOUND", "").strip().lower()
# What the SPF record of a domain says to let this installation's server send for it.
SPF_MECHANISM = os.environ.get("RELANCE_SPF_MECHANISM", "")

# Mailboxes connected by consent: what this installation is called at Google and at Microsoft.
OAUTH_CLIENTS = {
    "google": (
        os.environ.get("RELANCE_GOOGLE_CLIENT_ID", ""),
        os.environ.get("RELANCE_GOOGLE_CLIENT_SECRET", ""),
    ),
    "microsoft": (
        os.environ.get("RELANCE_MICROSOFT_CLIENT_ID", ""),
        os.environ.get("RELANCE_MICROSOFT_CLIENT_SECRET", ""),
    ),
}
OAUTH_MICROSOFT_TENANT = os.environ.get("RELANCE_MICROSOFT_TENANT", "common")

# A demonstration lives in its own data directory and has its mails read in a page.
DEMO = os.environ.get("RELANCE_DEMO", "") == "1"
DEMO_CLOCK = (
    datetime.fromisoformat(os.environ["RELANCE_DEMO_CLOCK"])
    if DEMO and "RELANCE_DEMO_CLOCK" in os.environ
    else None
)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("RELANCE_LOG_LEVEL", "WARNING")},
}
