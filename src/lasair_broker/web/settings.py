"""Django's settings, derived from the installation's own."""

from __future__ import annotations

from lasair_broker.settings import load
from lasair_broker.web import _logins as logins
from lasair_broker.web._aladin import aladin_folder
from lasair_broker.web._database import data_folder, database
from lasair_broker.web._secret import secret_key

LASAIR = load()
LASAIR_SITE = LASAIR.site
LASAIR_PHOTOMETRY = LASAIR.photometry
LASAIR_SENDING = LASAIR.sending

SECRET_KEY = secret_key(data_folder())
DEBUG = False
ALLOWED_HOSTS: list[str] = ["localhost", "127.0.0.1", "[::1]", *LASAIR_SITE.hosts]
CSRF_TRUSTED_ORIGINS = [f"https://{h.replace('.', '*.', 1) if h[0] == '.' else h}" for h in LASAIR_SITE.hosts]

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LASAIR_SITE.https
SECURE_HSTS_SECONDS = 31_536_000 if LASAIR_SITE.https else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if LASAIR_SITE.https else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024**2
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
DATA_UPLOAD_MAX_NUMBER_FILES = 10

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_tasks",
    "django_tasks_db",
    "lasair_broker.web.accounts",
    "lasair_broker.web.filters",
    "lasair_broker.web.delivery",
    "lasair_broker.web.watchlists",
    "lasair_broker.web.watchmaps",
    "lasair_broker.web.annotators",
    "lasair_broker.web.comments",
    "lasair_broker.web.photometry",
    "lasair_broker.web.queries",
    "lasair_broker.web.tags",
    "lasair_broker.web.transfers",
    "lasair_broker.web.api",
    "django_htmx",
    "lasair_broker.web.site",
    *logins.APPS,
]
MIDDLEWARE = [
    "lasair_broker.web.watched.watched",
    "lasair_broker.web.headers.headers",
    "lasair_broker.web.sizes.bounded",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "lasair_broker.web.site.faults.Faults",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "lasair_broker.web.site.context.site",
            ]
        },
    }
]
CSRF_FAILURE_VIEW = "lasair_broker.web.site.faults.csrf_failed"
ROOT_URLCONF = "lasair_broker.web.urls"
WSGI_APPLICATION = "lasair_broker.web.wsgi.application"

DATABASES = {"default": database()}
CACHES = {
    "default": {  # in it django-allauth counts attempts, of all processes together
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "lasair_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"ours": {"class": "lasair_broker.web._log_handler.ToStructlog", "level": "ERROR"}},
    "loggers": {"django": {"handlers": ["ours"], "level": "INFO", "propagate": False}},
}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATICFILES_DIRS = [("aladin", str(aladin))] if (aladin := aladin_folder()) else []
WHITENOISE_USE_FINDERS = True  # the files lie in the installed packages: there is nothing to collect
WHITENOISE_IMMUTABLE_FILE_TEST = r"/site/[^/]+-[0-9A-Z]{8}\.[a-z0-9]+$"  # what they hold is in their names

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["queries", "transfers"]}}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "lasair_broker.web.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["lasair_broker.web.api.permissions.Scoped"],
    "DEFAULT_THROTTLE_CLASSES": ["lasair_broker.web.api.throttles.HourlyThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["lasair_broker.web.api.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "lasair_broker.web.api.parsers.JSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_SCHEMA_CLASS": "lasair_broker.web.api.operations.Operations",
    "EXCEPTION_HANDLER": "lasair_broker.web.api.problems.handler",
    "NUM_PROXIES": LASAIR_SITE.proxies,
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "lasair_broker.web.api.renderers.Negotiation",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Lasair",
    "DESCRIPTION": "Alerts of Rubin and ZTF: objects, light curves, images, queries, filters, lists "
    "and maps. Errors are problem details (RFC 9457). Lists are read page by page: `next` is the address of "
    "the page that follows. Numbers of objects and sources have 64 bits and are given as text in JSON.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "PREPROCESSING_HOOKS": ["lasair_broker.web.api.description.only_versioned"],
    "ENUM_NAME_OVERRIDES": {
        "AnnotatorKind": "lasair_broker.web.annotators.models.Annotator.Kind",
        "OutputKind": "lasair_broker.web.filters.models.OutputKind",
        "TriggerKind": "lasair_broker.web.watchlists.models.WatchlistTrigger.Kind",
        "MessageFormat": "lasair_broker.web.filters.models.FilterOutput.Format",
    },
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "COMPONENT_SPLIT_REQUEST": True,
}

vars().update(logins.settings(LASAIR))
