"""Secrets at the edges of what is hidden: lengths, beginnings, cuts, paths, names and kinds of values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from venues import redaction
from venues.redaction import (
    LONGEST_WITH_CUTS,
    TOO_DEEP,
    Redactor,
    says_a_secret,
    secrets_of_proxy,
    without_secret_parameters,
)


def hiding(**secrets: str) -> Redactor:
    redactor = Redactor()
    redactor.learn(secrets)
    return redactor


@pytest.mark.parametrize(("secret", "known"), [("abcdefg", 0), ("abcdefgh", 1), ("", 0)])
def test_a_secret_of_eight_characters_is_known(secret: str, known: int) -> None:
    redactor = hiding(key=secret)
    assert redactor.known == known
    assert redactor.text(f"<{secret}>") == ("<[key]>" if known else f"<{secret}>")
    redactor.learn({"another": secret})
    assert redactor.known == known, "the same one is known once"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Kq7-50xyzLMN", "[key]"),
        ("Kq7-50xyz", "[key]"),
        ("Kq7-50xy", "[key]"),
        ("Kq7-50x", "Kq7-50x"),
        ("Kq7-50xy, Kq7-50xyzL. Kq7-50xyzLM", "[key], [key]. [key]"),
        ("Kq7-50xyA", "[key]A"),
        ("Kq7-50xyzLMNO", "[key]O"),
        ("aKq7-50xyKq7-50xyz", "a[key][key]"),
    ],
)
def test_the_first_eight_characters_and_what_follows_of_it_are_hidden(text: str, hidden: str) -> None:
    assert hiding(key="Kq7-50xyzLMN").text(text) == hidden


def test_the_beginning_of_a_number_is_no_secret_and_that_of_an_address_neither() -> None:
    redactor = hiding(key="12345678abc")
    redactor.learn_url("wss://v.example/hub/k7/A", "wss://v.example/hub/[key]/A")
    for text in ("12345678 or 12345678a", "wss://v.example/hub", "/hub/k8/A"):
        assert redactor.text(text) == text
    assert redactor.text("12345678abc /hub/k7/A") == "[key] /hub/[key]/A"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("no Kq7-…", "no [key]…"),
        ("no Kq7…", "no Kq7…"),
        ("Kq7-50…; Kq7-5…, Kq7-", "[key]…; [key]…, Kq7-"),
        ("Kq7-51… ", "Kq7-51… "),
        ("x…Kq7-50…y…", "x…[key]…y…"),
        ("…", "…"),
    ],
)
def test_four_characters_before_an_ellipsis_are_hidden(text: str, hidden: str) -> None:
    assert hiding(key="Kq7-50xyzLMN", other="ZZZZZZZZZZ").text(text) == hidden


@pytest.mark.parametrize(("more", "is_hidden"), [(0, True), (1, False)])
def test_only_texts_for_people_are_searched_for_parts(more: int, is_hidden: bool) -> None:
    redactor = hiding(key="Kq7-50xyzLMN")
    for part in ("Kq7-5…", "Kq7-50xyz"):
        text = "." * (LONGEST_WITH_CUTS + more - len(part)) + part
        assert ("[key]" in redactor.text(text)) is is_hidden
        assert redactor.text(text + "Kq7-50xyzLMN").count("[key]") == 1, "the whole one is hidden in any"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("17000000", "[key]"),
        ("a17000000b", "a[key]b"),
        ("17000000.", "[key]."),
        (".17000000", ".[key]"),
        ("117000000", "117000000"),
        ("170000001", "170000001"),
        ("17000000.1", "17000000.1"),
        ("1.17000000", "1.17000000"),
        ("-17000000,", "-[key],"),
    ],
)
def test_a_secret_of_digits_is_hidden_where_it_is_the_whole_number(text: str, hidden: str) -> None:
    redactor = hiding(key="17000000")
    assert redactor.text(text) == hidden
    assert redactor.data(text.encode()) == hidden.encode()


@pytest.mark.parametrize(
    ("url", "shown", "said", "hidden"),
    [
        ("wss://v.example/a/b/key-1/S", "wss://v.example/a/b/[key]/S", "/a/b/key-1/S", "/a/b/[key]/S"),
        ("wss://v.example/a/b/key-1/S", "wss://v.example/a/b/[key]/S", "x /b/key-1/S", "x /b/[key]/S"),
        ("wss://v.example/a/b/key-1/S", "wss://v.example/a/b/[key]/S", "b/key-1/S", "b/key-1/S"),
        ("wss://v.example/a/b//key-1/S", "wss://v.example/a/b/[key]/S", "x //key-1/S", "x /[key]/S"),
        ("wss://v.example/ab?k=k7/long-path", "wss://v.example/ab?k=[key]/long-path", "/long-path", "/long-path"),
        ("wss://v.example/k7", "wss://v.example/[key]", "/k7", "/k7"),
        ("wss://v.example/key-12", "wss://v.example/[key]", "/key-12", "/key-12"),
        ("wss://v.example/key-123", "wss://v.example/[key]", "/key-123", "/[key]"),
        ("wss://v.example/a?k=k7", "wss://v.example/a?k=[key]", "GET /a?k=k7", "GET /a?k=k7"),
        ("wss://v.example/ab?k=k7", "wss://v.example/ab?k=[key]", "GET /ab?k=k7", "GET /ab?k=[key]"),
        ("wss://k7.example/path/of/it", "wss://[key].example/path/of/it", "/path/of/it", "/path/of/it"),
    ],
)
def test_what_of_an_address_is_hidden(url: str, shown: str, said: str, hidden: str) -> None:
    redactor = Redactor()
    redactor.learn_url(url, shown)
    assert redactor.text(said) == hidden
    assert redactor.text(f"<{url}>") == f"<{shown}>"


@pytest.mark.parametrize(
    ("odd", "behind", "left"),
    [
        (64, "tail", ""),
        (64, "tall", None),
        (65, "tail", ""),
        (65, "x" * 28 * 5, ""),
        (65, "x" * (28 * 5 + 1), "x"),
        (65, "", ""),
        (65, " tail", " tail"),
    ],
)
def test_of_a_secret_with_more_than_64_odd_characters_the_rest_is_hidden_up_to_a_space(
    odd: int, behind: str, left: str | None
) -> None:
    redactor, begun = hiding(key="abcdefgh" + "+" * odd + "tail"), "abcdefgh" + "+" * 64
    said = (begun + behind).encode()
    assert redactor.data(said) == (said if left is None else f"[key]{left}".encode())


@pytest.mark.parametrize(
    ("url", "shown", "known"),
    [
        ("wss://v.example/a%2Fb/of/it", "wss://v.example/a%2Fb/of/it", 0),
        ("wss://[user]@v.example/path/of/it", "wss://v.example/path/of/it", 1),
        ("wss://v.example/key-123", "wss://v.example/[key]", 2),
        ("wss://v.example/a/b/key-1/S", "wss://v.example/a/b/[key]/S", 3),
    ],
)
def test_how_many_secrets_an_address_has(url: str, shown: str, known: int) -> None:
    redactor = Redactor()
    for _ in range(2):
        redactor.learn_url(url, shown)
        assert redactor.known == known


def test_a_backslash_in_what_is_shown_stays_one() -> None:
    redactor = Redactor()
    redactor.learn_url("wss://v.example/a-secret-key", r"wss://v.example/\1[key]")
    assert redactor.text("wss://v.example/a-secret-key") == r"wss://v.example/\1[key]"
    assert redactor.data(b"wss://v.example/a-secret-key") == rb"wss://v.example/\1[key]"


@pytest.mark.parametrize(
    ("value", "hidden"),
    [
        ("Kq7-50xyzLMN", "[key]"),
        (["Kq7-50xyzLMN", 1], ["[key]", 1]),
        (("a", "Kq7-50xyzLMN"), ("a", "[key]")),
        ({"Kq7-50xyzLMN": {"x": ("Kq7-50xyzLMN",)}}, {"[key]": {"x": ("[key]",)}}),
        (b"Kq7-50xyzLMN", b"Kq7-50xyzLMN"),
        (None, None),
        (1.5, 1.5),
    ],
)
def test_values_keep_their_kind(value: Any, hidden: Any) -> None:
    found = hiding(key="Kq7-50xyzLMN").value(value)
    assert found == hidden
    assert type(found) is type(hidden)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"token":"abc","n":1.50}', '{"token":"[token]","n":1.50}'),
        ('[{"apiKey":"abc"},["x"],{"key":""},{"key":7}]', '[{"apiKey":"[apiKey]"},["x"],{"key":""},{"key":7}]'),
        ('{"secret":{"a":"b","passphrase":"p"}}', '{"secret":{"a":"b","passphrase":"[passphrase]"}}'),
        ('{"url":"x?key=1#a?token=2"}', '{"url":"x?key=[key]#a?token=2"}'),
        ('{ "a" : "Kq7-50xyzLMN" }', '{ "a" : "[key]" }'),
        ("no JSON, Kq7-50xyzLMN", "no JSON, [key]"),
        ("", ""),
        ("[" * 100_000 + "]" * 100_000, TOO_DEEP),
    ],
)
def test_an_answer_is_shown_without_its_secrets(body: str, shown: str) -> None:
    assert hiding(key="Kq7-50xyzLMN").answer(body) == shown


def test_what_an_answer_gives_is_hidden_from_then_on() -> None:
    redactor = Redactor()
    redactor.answer(json.dumps({"token": "from-the-answer", "list": ["https://a.example/?secret=in-an-%61ddress"]}))
    assert redactor.text("from-the-answer, in-an-address") == "[token], [secret]"


@pytest.mark.parametrize(
    ("url", "shown", "found"),
    [
        ("a?b=c", "a?b=c", []),
        ("a?access_token=t%2F1", "a?access_token=[token]", [("token", "t/1")]),
        ("a?ACCESS_TOKEN=t&x", "a?ACCESS_TOKEN=[token]&x", [("token", "t")]),
        ("a?api%5Fkey=1&key=&key&keys=2=3", "a?api%5Fkey=[api_key]&key=&key&keys=[keys]", [
            ("api_key", "1"), ("keys", "2=3")
        ]),
        ("a?#key=1", "a?#key=1", []),
        ("a#?key=1", "a#?key=[key]", [("key", "1")]),
        ("a", "a", []),
    ],
)  # fmt: skip
def test_the_secrets_among_the_parameters_of_an_address(url: str, shown: str, found: list[tuple[str, str]]) -> None:
    taken: list[tuple[str, str]] = []
    assert without_secret_parameters(url, taken) == shown == without_secret_parameters(url)
    assert taken == found


@pytest.mark.parametrize(
    ("name", "says"),
    [("x_Token", True), ("SECRET", True), ("password1", True), ("passphrase", True), ("apiKey", True), ("pass", False)],
)
def test_which_names_say_a_secret(name: str, says: bool) -> None:
    assert says_a_secret(name) is says


def test_the_secrets_of_a_proxy_by_name() -> None:
    assert secrets_of_proxy("http://u%40x:p%3Aq@p.example:1") == {
        "proxy_user": "u@x",
        "proxy_password": "p:q",
        "proxy_authorization": "dUB4OnA6cQ==",
    }
    assert secrets_of_proxy("http://user@p.example") == {
        "proxy_user": "user",
        "proxy_password": "",
        "proxy_authorization": "dXNlcjo=",
    }


@pytest.mark.parametrize(
    ("secret", "text", "hidden"),
    [
        ("x[key]-abc", "x[key]-ab", "[key]"),
        ("x[key]-abc", "x[key]-abc", "[key]"),
        ("[key] of mine", "[key] of", "[key]"),
        ("key] of mine", "[key] of mine, key] of m", "[[key], [key]"),
        ("key] of mine", "key] of m", "[key]"),
    ],
)
def test_a_secret_that_reads_like_what_stands_in_its_place(secret: str, text: str, hidden: str) -> None:
    assert hiding(key=secret).text(text) == hidden


@pytest.mark.parametrize("backslashes", [1, 2, 3])
def test_backslashes_are_found_also_doubled_up_to_three_times(backslashes: int) -> None:
    redactor = hiding(key="abcd" + "\\" * backslashes + "efgh")
    for many in (1, 2, 4, 8):
        said = "<abcd" + "\\" * backslashes * many + "efgh>"
        assert redactor.text(said) == "<[key]>"
        assert redactor.data(said.encode()) == b"<[key]>"


def test_a_text_that_begins_like_a_secret_that_reads_like_its_name() -> None:
    assert hiding(client_key="client_key-of-mine").text("client_key-of") == "[client_key]"
    redactor = hiding(client_key="[client_key]-of-mine")
    assert redactor.text("[client_key]-of, [client_key]-of-mine") == "[client_key]-of, [client_key]"


@pytest.mark.parametrize(
    ("character", "spellings"),
    [
        ("é", ["\\u00e9", "\\u00E9", "\\\\u00e9", "\\\\\\\\u00e9", "%C3%A9", "%c3%a9", "%25C3%25A9", "%2525c3%2525a9",
               "&#233;", "&#0000233;", "&#xe9;", "&#XE9;", "&#x0000E9;"]),
        ("😀", ["\\ud83d\\ude00", "\\\\uD83D\\\\uDE00", "%F0%9F%98%80", "&#128512;", "&#x1f600;"]),
        ("&", ["\\u0026", "%26", "%2526", "&amp;", "&#38;", "&#x26;"]),
        ("<", ["\\u003c", "&lt;"]),
        (">", ["\\u003E", "&gt;"]),
        ('"', ["\\u0022", "&quot;", '\\"', '\\\\\\"', "\\" * 7 + '"']),
        ("'", ["&apos;", "&#39;", "\\'"]),
        ("/", ["\\/", "%2F", "%2f", "\\" * 7 + "/"]),
        (" ", ["+", "%20", "\\u0020"]),
        ("+", ["%2B", "%2b", "\\u002b"]),
    ],
)  # fmt: skip
def test_each_spelling_of_a_character_is_known(character: str, spellings: list[str]) -> None:
    redactor = hiding(key=f"abcdef{character}ghijkl")
    for spelling in [character, *spellings]:
        said = f"<abcdef{spelling}ghijkl>"
        assert redactor.text(said) == "<[key]>", spelling
        assert redactor.data(said.encode()) == b"<[key]>", spelling


@pytest.mark.parametrize(
    ("character", "others"),
    [
        (
            "é",
            [
                "\\u00e8",
                "u00e9",
                "\\u00e",
                "%C3",
                "%252525C3%252525A9",
                "&#2330;",
                "&#00000233;",
                "&#xe9",
                "&#x00000e9;",
            ],
        ),
        ('"', ["\\" * 8 + '"', "&quot"]),
        ("+", [" ", "\\+"]),
        ("&", ["&apos;", "\\&"]),
    ],
)
def test_what_is_no_spelling_of_a_character(character: str, others: list[str]) -> None:
    redactor = hiding(key=f"abcdef{character}ghijkl")
    for other in others:
        said = f"<abcdef{other}ghijkl>"
        assert redactor.text(said) == said


@pytest.mark.parametrize(
    ("value", "shown", "anchor"),
    [
        ("wss://v.example/ab/S1", "wss://v.example/[key]/S1", "v.example"),
        ("wss://v.example/abc/S1", "wss://v.example/[key]/S1", "v.example"),
        ("wss://v.example/abcd/S1", "wss://v.example/[key]/S1", "abcd"),
        ("wss://v.example/abcde/S1", "wss://v.example/[key]/S1", "abcde"),
        ("ab+cdefg+hij", "[key]", "cdefg"),
        ("++++++++", "[key]", ""),
    ],
)
def test_what_is_looked_for_first_is_of_the_secret_itself(value: str, shown: str, anchor: str) -> None:
    """The rest of an address may be in every text, and all of them would be searched in full."""
    assert redaction._anchor(value, shown) == anchor
