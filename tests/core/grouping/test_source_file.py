from __future__ import annotations

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from firstcause.core.grouping.source_file import normalize_file, strip_content_hash
from firstcause.core.grouping.stack_frame import Frame

HASHED = [
    ("checkout-BxkT9a2Q.js", "checkout.js"),  # Vite and Rollup
    ("checkout-DfGh-_aB.js", "checkout.js"),
    ("index-DiwrgTda.mjs", "index.mjs"),
    ("order-list-a_bC-dEf.css", "order-list.css"),
    ("BxkT9a2Q.js", ".js"),
    ("chunk-4QXJ2ZRB.js", "chunk.js"),  # esbuild, Angular, Remix
    ("root-ABCDEFGH.js", "root.js"),
    ("chunk-zkwnzydq.js", "chunk.js"),  # Bun
    ("app.4f3c2a1b.js", "app.js"),  # webpack, Parcel
    ("main.abcdef12.chunk.js", "main.chunk.js"),
    ("page-4f3c2a1b5d6e7f80.js", "page.js"),
    ("vendors~main.4f3c2a1b.js", "vendors~main.js"),
    ("main-Ab3dEf9hIjKlMnOpQrSt.js", "main.js"),
    ("application-908e25f4bf641868d8683022a5b62f54.js", "application.js"),
]
NAMED = [
    "user-settings.js",
    "checkout-complete.js",
    "page-404.js",
    "view-UserList.js",
    "view-HomePage.js",
    "app-DarkMode.js",
    "view-PaymentSchedule.js",
    "cart-CheckOut.css",
    "page-v2_final.js",
    "order-item_row.js",
    "invoice-module01.js",
    "main-es2015.js",
    "my-big-page.js",
    "dashboard-overview.js",
    "react-dom.production.min.js",
    "settings.js",
    "user_settings.py",
    "OrderStore-V2Legacy.cs",
]


@pytest.mark.parametrize(("name", "plain"), HASHED)
def test_the_hash_of_a_bundler_is_stripped(name: str, plain: str) -> None:
    assert strip_content_hash(name) == plain
    assert normalize_file(f"https://shop.example/assets/{name}?v=3#x") == f"assets/{plain}"


@pytest.mark.parametrize("name", NAMED)
def test_words_in_a_name_stay(name: str) -> None:
    assert strip_content_hash(name) == name


def test_a_folder_that_is_an_id_of_the_build_does_not_count() -> None:
    one, two = (
        normalize_file(f"https://shop.example/_next/static/{build}/cart.js")
        for build in ("V1StGXR8_Z5jdHi6B-myT", "f4Lq-2mXb7_KpR9sTzW0a")
    )
    assert one == two == "static/cart.js"


BASE64URL = string.ascii_letters + string.digits + "-_"


@given(
    st.sampled_from(["checkout", "index", "user-settings", "vendor.min", "[id]", "page_2"]),
    *[
        st.one_of(
            # A name of eight letters could be a word; nearly no hash is without digits and mixed letters.
            st.text(BASE64URL, min_size=6, max_size=6).map(lambda text: f"{text[:3]}9{text[3:]}Q"),
            st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=8, max_size=8),
            st.text("0123456789abcdef", min_size=19, max_size=19).map(lambda text: f"7{text}"),
        )
        for _ in range(2)
    ],
    st.sampled_from(["js", "mjs", "chunk.js", "css"]),
)
def test_renaming_the_hash_changes_nothing(stem: str, one: str, two: str, ending: str) -> None:
    # Digits alone and words with digits are no hash: `page-2024`, `module01`.
    for text in (one, two):
        assume(not text.isdigit())
        assume(
            not any(part.lower() == part and part.isalnum() for part in text.replace("_", "-").split("-")[1:])
        )
    files = [f"https://shop.example/assets/{stem}-{text}.{ending}" for text in (one, two)]
    assert Frame(files[0], "save").location == Frame(files[1], "save").location


@given(st.text(max_size=300))
def test_any_name_is_taken(name: str) -> None:
    assert isinstance(normalize_file(name), str)
    assert isinstance(normalize_file(f"{name}.js"), str)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("com.acme.ShopKt.save$lambda$0", "com.acme.ShopKt.save$lambda$3$lambda$1"),
        ("com.acme.Shop$.$anonfun$save$1", "com.acme.Shop$.$anonfun$save$22"),
        ("shop.core$save$fn__1234.invoke", "shop.core$save$fn__77.invoke"),
        ("com.acme.Shop$_save_closure1.doCall", "com.acme.Shop$_save_closure2.doCall"),
        ("com.sun.proxy.$Proxy12.save", "com.sun.proxy.$Proxy7.save"),
        ("com.acme.Shop$$EnhancerBySpringCGLIB$$1a2b3c.save", "com.acme.Shop.save"),
        ("com.acme.Shop.lambda$save$0", "com.acme.Shop.lambda$save$5"),
        ("shop.(*Store).Save.func1.2", "shop.(*Store).Save.func3"),
        ("shop::save::{{closure}}::{{closure}}", "shop::save::{closure#0}"),
        ("Acme.Shop.<>c__DisplayClass0_0.<Save>b__1", "Acme.Shop.<>c.<Save>b__3_2"),
        ("Acme.Shop.<SaveAsync>d__5.MoveNext", "Acme.Shop.<SaveAsync>d__7`1.MoveNext"),
        ("Acme.Shop.<Save>g__Check|3_0", "Acme.Shop.<Save>g__Check|4_1"),
        ("{closure:App\\Shop::save():12}", "{closure:App\\Shop::save():19}"),
        ("anonymous fn/1 in Shop.save/2", "Shop.save/2"),
        ("Shop.save.<anonymous closure>.<anonymous closure>", "Shop.save"),
        ("closure #1 in closure #2 in Shop.save()", "Shop.save()"),
    ],
)
def test_what_a_compiler_makes_of_a_name_changes_nothing(one: str, two: str) -> None:
    assert Frame("", one).location == Frame("", two).location


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("libswiftCore.so", "_assertionFailure"),
        ("UIKitCore", "-[UIView layout]"),
        ("package:flutter/src/widgets/framework.dart", "build"),
        ("deps/ecto/lib/ecto/repo.ex", "Ecto.Repo.all/1"),
        ("/rustc/59807616e1fa/library/core/src/panicking.rs", "core::panicking::panic_fmt"),
        ("/usr/lib/libc.so.6", "abort"),
        ("", "??"),
        ("", "androidx.fragment.app.Fragment.run"),
        ("golog/sentry.go", "(*Writer).WriteEntry"),
        ("src/shop.ts", "reportError"),
        ("src/shop.ts", "logger.error"),
    ],
)
def test_frames_of_others(file: str, name: str) -> None:
    assert not Frame(file, name).in_app


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("FoundationStone.swift", "save"),
        ("package:get_orders/main.dart", "main"),
        ("/srv/shop/deps/db/session.py", "open"),
        ("src/shop.ts", "entry"),
        ("src/logs.ts", "loadLog"),
        ("src/errors.ts", "toErrorPage"),
        ("", "com.acme.Android.run"),
    ],
)
def test_frames_of_the_application(file: str, name: str) -> None:
    assert Frame(file, name).in_app


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("com.acme.Shop.lambda$main$0", "com.acme.Shop.lambda$main$1"),
        ("com.acme.ShopKt.main$lambda$0", "com.acme.ShopKt.main$lambda$1"),
        ("main.main.func1", "main.main.func2"),
        ("Program.<>c.<<Main>$>b__0_0", "Program.<>c.<<Main>$>b__0_3"),
        ("Program.<>c.<Main>b__0_0", "Program.<>c__DisplayClass0_0.<Main>b__1"),
        ("Acme.Shop.<Save>g__Check|3_0", "Acme.Shop.<Save>g__Load|3_1"),
    ],
)
def test_handlers_of_the_entry_point_stay_apart(one: str, two: str) -> None:
    assert Frame("", one).location != Frame("", two).location
