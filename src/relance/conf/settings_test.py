"""Settings of the test suite: SQLite, or the PostgreSQL of RELANCE_TEST_DATABASE_URL."""

import os
import tempfile

os.environ.setdefault("RELANCE_DATA_DIR", tempfile.mkdtemp(prefix="relance-tests-"))
os.environ.setdefault("RELANCE_SECRET_KEY", "only-for-tests")
if test_url := os.environ.get("RELANCE_TEST_DATABASE_URL"):
    os.environ["RELANCE_DATABASE_URL"] = test_url

from relance.conf.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
