"""Django with django-scim2 over SQLite in its write-ahead mode, each commit synced."""

SECRET_KEY = "a peer has no secrets"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "peer.accounts", "django_scim"]
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "peer.urls"
MIDDLEWARE = ["peer.auth.Bearer", "django_scim.middleware.SCIMAuthCheckMiddleware"]
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "peer.db",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }
}
LOGGING = {"version": 1, "disable_existing_loggers": True}
SCIM_SERVICE_PROVIDER = {
    "NETLOC": "127.0.0.1",
    "SCHEME": "http",
    "AUTHENTICATION_SCHEMES": [
        {"type": "oauthbearertoken", "name": "Bearer", "description": "A fixed token"}
    ],
    "GROUP_MODEL": "peer.accounts.models.Group",
}
