"""Secrets are hidden in every spelling, and nothing else is."""

from __future__ import annotations

import base64
import html
import json
import re
import time
from decimal import Decimal
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venues.records import Book, Level, Position, Status
from venues.redaction import Redactor, secrets_of_proxy

SECRETS = st.text(st.characters(exclude_categories=("C", "Z")), min_size=8, max_size=40)


def hiding(secret: str, name: str = "key") -> Redactor:
    redactor = Redactor()
    redactor.learn({name: secret})
    return redactor


ENCODERS = {
    "as it is": lambda text: text,
    "path": quote,
    "path segment": lambda text: quote(text, safe=""),
    "small hex": lambda text: re.sub("%..", lambda code: code[0].lower(), quote(text, safe="")),
    "form": quote_plus,
    "URL in a URL": lambda text: quote(quote(text)),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON, unicode": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON, slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON, large hex": lambda text: re.sub(
        r"\\u....", lambda code: "\\u" + code[0][2:].upper(), json.dumps(text)[1:-1]
    ),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "HTML": html.escape,
    "HTML, numbers": lambda text: "".join(f"&#{ord(c)};" if c in "<>&\"'" else c for c in text),
}


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS.keys())
@settings(max_examples=40)
@given(SECRETS)
def test_every_spelling_is_hidden(encode, secret: str) -> None:  # type: ignore[no-untyped-def]
    redactor = hiding(secret)
    text = f"<{encode(secret)}> and again:{encode(secret)}"
    assert redactor.text(text) == "<[key]> and again:[key]"
    assert redactor.data(text.encode()) == b"<[key]> and again:[key]"


@settings(max_examples=40)
@given(SECRETS, st.text(max_size=20), st.text(max_size=20))
def test_json_stays_json(secret: str, before: str, after: str) -> None:
    secret = f"Key-{secret}"  # not what the end of an escape before it could be the beginning of
    hidden = json.loads(hiding(secret).data(json.dumps([before + secret + after]).encode()))
    assert hidden == [f"{before}[key]{after}"]


@settings(max_examples=40)
@given(SECRETS, st.text(max_size=60))
def test_other_text_stays_as_it_is(secret: str, text: str) -> None:
    redactor = hiding("\N{SNOWMAN}" + secret)
    plain = text.replace("\N{SNOWMAN}", "").replace("…", "")
    assert redactor.text(plain) == plain


def test_short_secrets_are_hidden_by_position_only() -> None:
    redactor = hiding("1234567")
    assert redactor.text("price 1234567") == "price 1234567"
    redactor.learn_url("wss://h.example/hub/ws/a%2Fb/SPOT", "wss://h.example/hub/ws/[key]/SPOT")
    assert redactor.text("GET /hub/ws/a%2fb/SPOT") == "GET /hub/ws/[key]/SPOT"
    assert redactor.text("wss://h.example/hub/ws/a%2Fb/SPOT!") == "wss://h.example/hub/ws/[key]/SPOT!"
    assert redactor.text("no /ws/a/b/SPOT here") == "no /ws/[key]/SPOT here"  # a server behind another one
    assert redactor.text(r'"path": "\/ws\/a\/b\/SPOT"') == '"path": "/ws/[key]/SPOT"'
    assert redactor.text("a/b") == "a/b"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("wss://user:pa%20ss@h.example/hub", "wss://[user]@h.example/hub"),
        ("wss://h.example/k7", "wss://h.example/[key]"),
    ],
)
def test_a_url_is_hidden_whole_also_where_its_path_alone_says_nothing(url: str, shown: str) -> None:
    redactor = Redactor()
    redactor.learn_url(url, shown)
    assert redactor.text(f"no answer from {url}") == f"no answer from {shown}"


def test_a_url_without_a_secret_is_not_hidden() -> None:
    redactor = Redactor()
    redactor.learn_url("wss://h.example/stream", "wss://h.example/stream")
    assert redactor.text("wss://h.example/stream") == "wss://h.example/stream"


def test_digits_are_no_secret_inside_a_longer_number() -> None:
    redactor = hiding("17000000")
    assert redactor.text('{"time":1700000000000,"price":17000000.5,"x":0.17000000}') == (
        '{"time":1700000000000,"price":17000000.5,"x":0.17000000}'
    )
    assert redactor.text("bad key 17000000.") == "bad key [key]."
    assert redactor.text('"17000000"') == '"[key]"'


@pytest.mark.parametrize("encode", [ENCODERS[name] for name in ("as it is", "small hex", "form", "JSON", "HTML")])
def test_a_secret_cut_by_an_ellipsis_is_hidden(encode) -> None:  # type: ignore[no-untyped-def]
    secret = 'Kq7/50%2f"q&x<y>ключ end-of-it'
    redactor, spelled = hiding(secret), encode(secret)
    for length in range(len(encode(secret[:4])), len(spelled)):
        assert redactor.text(f"no: {spelled[:length]}… (code 4)") == "no: [key]… (code 4)", spelled[:length]
    assert redactor.text("wait… Kq… no") == "wait… Kq… no"


def test_a_secret_that_is_part_of_another() -> None:
    redactor = Redactor()
    redactor.learn({"short": "abcdefgh"})
    redactor.learn({"long": "abcdefgh-ijklmnop"})
    assert redactor.text("abcdefgh-ijklmnop abcdefgh") == "[long] [short]"


def test_what_was_hidden_once_stays_hidden() -> None:
    redactor = hiding("first-value")
    redactor.learn({"key": "second-value"})
    assert redactor.text("first-value second-value") == "[key] [key]"


def test_structs_are_hidden_in_their_texts_only() -> None:
    redactor = hiding("17000000")
    status = Status(venue="nexus", received=17000000, stream="book", state="closed", reason="bad key 17000000")
    assert redactor.value(status).reason == "bad key [key]"
    assert redactor.value(status).received == 17000000
    book = Book(venue="nexus", symbol="A", received=1, bids=[Level(Decimal(17000000), Decimal(1))], asks=[])
    assert redactor.value(book) == book
    position = Position(
        venue="nexus", symbol="17000000", received=1, size=Decimal(1), change="update", extra={"17000000": ["17000000"]}
    )
    hidden = redactor.value(position)
    assert (hidden.symbol, hidden.extra) == ("[key]", {"[key]": ["[key]"]})
    assert position.symbol == "17000000"


@pytest.mark.parametrize("secret", ["\\" * 30 + "x", '\\"' * 15, "%" * 12 + "25", "/" * 30, "\\ä" * 10, "&#38;" * 6])
def test_no_text_makes_it_slow(secret: str) -> None:
    redactor = hiding(secret)
    begun = time.process_time()
    for part in ("\\", '\\"', "%25", "/", "\\\\\\\\ä", "&#38;", "&amp;", "…"):
        redactor.text(part * 20_000)
        redactor.data(part.encode() * 20_000)
    assert time.process_time() - begun < 5


def test_secrets_in_the_addresses_of_an_answer() -> None:
    redactor = Redactor()
    body = (
        '{"url":"https://e.example/c?hub=h&access_token=to%2Fken-1&Api_Key=key-is-this&empty_token=#f",'
        '"list":["x?password=a-pass-word-1&n=1"],"token":"another-token","plain":"what? no=1"}'
    )
    assert redactor.answer(body) == (
        '{"url":"https://e.example/c?hub=h&access_token=[token]&Api_Key=[api_key]&empty_token=#f",'
        '"list":["x?password=[password]&n=1"],"token":"[token]","plain":"what? no=1"}'
    )
    told = "to/ken-1 to%2fken-1 key-is-this a-pass-word-1 another-token"
    assert redactor.text(told) == "[token] [token] [api_key] [password] [token]"


@pytest.mark.parametrize("more", ["", "1", "٣+", "+/=" * 30, "/" * 20_000, "٣" * 20_000])
def test_of_a_secret_of_many_odd_characters_nothing_is_left(more: str) -> None:
    """Each character that an encoding changes costs time, so a secret of 20,000 of them took 20 seconds."""
    secret = "abcdefgh" + "+" * 64 + more
    redactor = Redactor()
    redactor.learn({"token": secret})
    for spelled in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], html.escape(secret)):
        assert redactor.text(f"a {spelled} b") == "a [token] b"
        assert redactor.data(f"a {spelled} b".encode()) == b"a [token] b"
    assert redactor.text("abcdefgh 1 2") == "[token] 1 2", "its beginning alone"
    assert len(redactor._hidden[0].text.pattern) < 200 * 64 + 2 * len(secret) + 100


def test_a_number_beyond_all_bounds_in_an_answer_hides_nothing_less() -> None:
    """Decimal refuses an exponent of twenty digits, and a text is put in its place."""
    redactor, beyond = Redactor(), "1e3333333333333333333"
    assert redactor.answer(beyond) == beyond
    assert redactor.answer(f'{{"n":{beyond},"token":"a-token-of-somebody"}}') == f'{{"n":"{beyond}","token":"[token]"}}'
    assert redactor.text("a-token-of-somebody") == "[token]"


def test_a_secret_that_begins_like_its_name_hangs_nothing() -> None:
    redactor = Redactor()
    redactor.learn({"client_key": "client_key-of-mine"})
    assert redactor.text("a client_key-of-mine, client_key-of, [client_key]") == (
        "a [client_key], [client_key], [client_key]"
    )


def test_the_secrets_of_a_proxy_are_hidden_as_they_are_sent_too() -> None:
    redactor = Redactor()
    redactor.learn(secrets_of_proxy("http://somebody:p%40ss%2Fw0rd-1@proxy.example:3128"))
    sent = base64.b64encode(b"somebody:p@ss/w0rd-1").decode()
    assert redactor.text(f"Basic {sent}") == "Basic [proxy_authorization]"
    assert redactor.text("no p@ss/w0rd-1, no p%40ss%2Fw0rd-1 of somebody") == (
        "no [proxy_password], no [proxy_password] of [proxy_user]"
    )


@pytest.mark.parametrize("url", [None, "", "http://proxy.example:3128", "http://[", "somebody:password"])
def test_a_proxy_without_a_password_has_no_secret(url: str | None) -> None:
    assert secrets_of_proxy(url) == {}
