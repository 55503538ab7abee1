"""Which names are names of one thing."""

from __future__ import annotations

import pytest

from firstcause.core.topology.names import (
    MAX_NAME_LENGTH,
    NameGroups,
    list_plain_names,
    shorten_name,
    to_component_name,
)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("payments-7d9f8b6c5-x2k9p", "payments"),
        ("cart-service", "cart"),
        ("postgres-main:9187", "postgres-main"),
        ("users.prod.svc.cluster.local", "users"),
        ("gateway-1", "gateway"),
    ],
)
def test_a_name_stands_for_its_plainer_form(name: str, plain: str) -> None:
    assert plain in list_plain_names(name)


def test_a_name_of_the_internet_stays_whole_and_an_address_is_no_component() -> None:
    assert to_component_name("api.twilio.com") == "api.twilio.com"
    assert to_component_name("users.prod.svc") == "users"
    assert to_component_name("10.0.3.9") is None


def test_two_components_of_the_graph_stay_two() -> None:
    groups = NameGroups(["cart", "stock"])
    groups.join("cart", "stock")
    groups.join("cart-7d9f", "cart")
    assert (groups.find("cart"), groups.find("stock"), groups.find("cart-7d9f")) == ("cart", "stock", "cart")


def test_very_long_names_differ_after_they_are_cut() -> None:
    first, second = shorten_name("x" * 500 + "a"), shorten_name("x" * 500 + "b")
    assert first != second
    assert len(first) == len(second) == MAX_NAME_LENGTH
