"""Passwords and keys are hidden in whatever form a URI or a library shows them."""

from __future__ import annotations

import pytest

from trainables.masking import has_secret, mask

SECRET = "S3cretPw"
HIDDEN = [
    ("postgresql://alice:S3cretPw@host/db", "postgresql://alice:***@host/db"),
    ("postgresql+psycopg://alice:S3cretPw@h:5432/db", "postgresql+psycopg://alice:***@h:5432/db"),
    ("postgresql://alice:S3cretPw@a:1,b:2/db", "postgresql://alice:***@a:1,b:2/db"),
    ("mysql+pymysql://alice:S3cretPw@host/db", "mysql+pymysql://alice:***@host/db"),
    ("mssql+pyodbc://alice:S3cretPw@dsn", "mssql+pyodbc://alice:***@dsn"),
    ("http://alice:S3cretPw@127.0.0.1:5000", "http://alice:***@127.0.0.1:5000"),
    ("HTTPS://alice:S3cretPw@host/path", "HTTPS://alice:***@host/path"),
    ("https://S3cretPw@host/path", "https://***@host/path"),
    ("redis://:S3cretPw@host:6379/0", "redis://:***@host:6379/0"),
    ("sftp://alice:S3cretPw@host/results", "sftp://alice:***@host/results"),
    ("http://alice:%53S3cretPw%40%2F@host", "http://alice:***@host"),
    ("http://alice:@S3cretPw/x?y#z@host", "http://alice:***@host"),
    ("http://alice:it's:S3cretPw@host", "http://alice:***@host"),
    ("s3://bucket/x?key=AKIA&secret=S3cretPw&a=1", "s3://bucket/x?key=***&secret=***&a=1"),
    ("s3://b/x?aws_access_key_id=S3cretPw", "s3://b/x?aws_access_key_id=***"),
    ("https://h/x?X-Amz-Signature=S3cretPw&n=2", "https://h/x?X-Amz-Signature=***&n=2"),
    ("az://c/x?sas_token=S3cretPw", "az://c/x?sas_token=***"),
    ("postgresql://h/db?user=alice&password=S3cretPw", "postgresql://h/db?user=alice&password=***"),
]
PLAIN = [
    "sqlite:////home/a:b@c/mlflow.db", "sqlite:///relative/a@b.db", "sqlite:///C:/x@y/mlflow.db",
    "s3://bucket/a@b/c:d", "/home/alice/a:b@c", "http://127.0.0.1:5000/#/runs", "file:///tmp/x",
    "postgresql://alice@host/db", "memory://x", "gs://bucket/folder?versions=2", "a sentence: a@b",
]  # fmt: skip


@pytest.mark.parametrize(("uri", "shown"), HIDDEN)
def test_a_secret_is_hidden_in_any_text(uri: str, shown: str) -> None:
    assert SECRET in uri
    assert mask(uri) == shown
    assert has_secret(uri)
    sentence = "tracking store {!r} cannot be used ({}); see {} or a@b"
    assert mask(sentence.format(uri, uri, uri)) == sentence.replace("{!r}", "{}").format(
        f"{uri!r}".replace(uri, shown), shown, shown
    )


@pytest.mark.parametrize("text", PLAIN)
def test_what_has_no_secret_stays_as_it_is(text: str) -> None:
    assert mask(text) == text
    assert mask(text, text) == text
    assert not has_secret(text)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("postgresql://u:S3cretPw@host/db", "no role u with S3cretPw"),
        ("postgresql://u:%53%33cretPw@host/db", "no role u with S3cretPw"),
        ("http://u:abc/S3cretPw@host", "invalid port: 'abc', path S3cretPw@host"),
        ("s3://b/x?secret=S3cretPw", "AccessDenied: S3cretPw"),
    ],
)
def test_a_known_secret_is_hidden_where_a_library_says_it_alone(uri: str, said: str) -> None:
    assert SECRET not in mask(said, uri)
    assert mask("nothing of it", uri) == "nothing of it"


def test_a_long_word_without_an_end_is_looked_through_once() -> None:
    """A bar that is redrawn, as a trial prints it; this took minutes."""
    bar = "=" * 300_000
    assert mask(f"{bar} http://u:{SECRET}@host {bar}") == f"{bar} http://u:***@host {bar}"


def test_a_secret_with_a_space_is_hidden_too() -> None:
    assert mask("no user S3cret Pw here", "http://u:S3cret%20Pw@host") == "no user *** here"
