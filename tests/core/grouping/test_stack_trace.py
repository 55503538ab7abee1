"""Stacks as the languages themselves write them. A second one is the first after a deployment elsewhere."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.core.grouping.raised_exception import parse_exception_type, short_type_name
from firstcause.core.grouping.stack_trace import parse_trace

PYTHON = """Traceback (most recent call last):
  File "/srv/shop/releases/20261101/orders/store.py", line 41, in save
    cursor.execute(statement)
  File "/srv/shop/.venv/lib/python3.11/site-packages/psycopg/cursor.py", line 97, in execute
    raise ex.with_traceback(None)
psycopg.errors.UniqueViolation: duplicate key value: 17

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/shop/releases/20261101/orders/views.py", line 12, in create
    save(order)
  File "/srv/shop/releases/20261101/orders/store.py", line 44, in save
    raise OrderError("order 17 is there already")
orders.errors.OrderError: order 17 is there already
"""
JAVA = """java.lang.IllegalStateException: order 17 not saved
\tat com.acme.orders.OrderService.save(OrderService.java:41)
\tat com.acme.orders.OrderService.lambda$all$0(OrderService.java:30)
\tat java.base/java.lang.Iterable.forEach(Iterable.java:75)
\tat com.acme.orders.OrderController$1.run(OrderController.java:12)
\tat org.springframework.web.method.InvocableHandlerMethod.doInvoke(InvocableHandlerMethod.java:207)
\tSuppressed: java.io.IOException: closing
\t\tat com.acme.orders.Pool.close(Pool.java:9)
Caused by: java.sql.SQLException: timeout after 3000 ms
\tat org.postgresql.jdbc.PgStatement.execute(PgStatement.java:400)
\tat com.acme.orders.OrderStore.insert(OrderStore.java:55)
\t... 4 more
"""
NODE = """TypeError: cannot save order 17
    at Shop.save (/srv/shop/src/orders/shop.js:41:73)
    at async /srv/shop/src/orders/route.js:12:66
    at Array.map (<anonymous>)
    at async Promise.all (index 0)
    at Layer.handle [as handle_request] (/srv/shop/node_modules/express/lib/router/layer.js:95:5)
    at Module._compile (node:internal/modules/cjs/loader:1521:14) {
  [cause]: SyntaxError: Unexpected token b in JSON at position 1
      at JSON.parse (<anonymous>)
      at Shop.read (/srv/shop/src/orders/shop.js:20:40)
}
"""
BROWSER = """save@https://shop.example.org/static/js/main.3f2a9c1b.js?v=17:41:73
onClick@https://shop.example.org/static/js/main.3f2a9c1b.js?v=17:12:5
"""
GO = """panic: runtime error: index out of range [5] with length 3 [recovered]

goroutine 17 [running]:
runtime.gopanic({0x4a1b00?, 0xc000018090?})
\t/usr/local/go/src/runtime/panic.go:914 +0x21f
github.com/acme/shop/orders.(*Store).Save(0xc0000b2000, 0x11)
\t/build/shop/orders/store.go:41 +0x1d
github.com/acme/shop/orders.(*Store).All.func1()
\t/build/shop/orders/store.go:30 +0x2a
net/http.HandlerFunc.ServeHTTP(0x0?, {0x6a1b00?, 0xc0000e0000?}, 0x0?)
\t/usr/local/go/src/net/http/server.go:2136 +0x29
created by net/http.(*Server).Serve in goroutine 1
\t/usr/local/go/src/net/http/server.go:3086 +0x5cb

goroutine 1 [IO wait]:
main.main()
\t/build/shop/main.go:12 +0x1d
"""
NET = """Unhandled exception. System.InvalidOperationException: order 17 not saved
 ---> Npgsql.NpgsqlException (0x80004005): timeout
   at Npgsql.NpgsqlConnector.Read(Boolean async)
   at Acme.Orders.OrderStore.<InsertAsync>d__5.MoveNext() in C:\\build\\Acme\\Orders\\OrderStore.cs:line 55
   --- End of inner exception stack trace ---
   at Acme.Orders.OrderService.Save(Order order) in C:\\build\\Acme\\Orders\\OrderService.cs:line 41
   at Acme.Orders.OrderService.<>c__DisplayClass0_0.<All>b__0(Order order)
   at Microsoft.AspNetCore.Mvc.ControllerBase.Run(String[] args)
"""
RUBY = """/srv/shop/releases/20261101/app/models/order.rb:41:in `save': order 17 not saved (Orders::NotSaved)
\tfrom /srv/shop/releases/20261101/app/models/order.rb:30:in `block in all'
\tfrom /usr/lib/ruby/gems/3.2.0/gems/activerecord-7.1/lib/active_record/relation.rb:9:in `each'
\tfrom /srv/shop/releases/20261101/app/controllers/orders_controller.rb:12:in `create'
"""
SENTRY = """  File "orders/views.py", line 12, in create
    save(order)
ConnectionError: no route

then:

  File "orders/views.py", line 14, in create
OrderError: order 17 not saved"""

KEYS = [
    (PYTHON, ["OrderError", "orders/views.py:create", "orders/store.py:save", "<-", "UniqueViolation"]),
    (JAVA, ["IllegalStateException", ":com.acme.orders.OrderService.save", "<-", "SQLException"]),
    (NODE, ["TypeError", "orders/shop.js:Shop.save", "orders/route.js:<anonymous>", "<-", "SyntaxError"]),
    (BROWSER, ["", "js/main.js:save", "js/main.js:onClick"]),
    (GO, ["panic runtime error: index out of range [*] with length *"]),
    (NET, ["InvalidOperationException", "Orders/OrderService.cs:Acme.Orders.OrderService.Save"]),
    (RUBY, ["NotSaved", "models/order.rb:save", "models/order.rb:all"]),
    (SENTRY, ["OrderError", "orders/views.py:create", "<-", "ConnectionError"]),
]  # fmt: skip
STACKS = [stack for stack, _key in KEYS]
THEIRS = (
    "psycopg",
    "forEach",
    "springframework",
    "express",
    "gopanic",
    "net/http",
    "Npgsql.",
    "active_record",
    "Pool",
)


def key(stack: str) -> tuple[str, ...]:
    trace = parse_trace(stack)
    assert trace is not None
    return trace.key


@pytest.mark.parametrize(("stack", "parts"), KEYS)
def test_what_was_raised_and_where_in_our_own_code(stack: str, parts: list[str]) -> None:
    parsed = key(stack)
    assert parsed[0] == parts[0]
    assert set(parts) <= set(parsed)
    assert not [place for place in parsed for other in THEIRS if other in place]


@pytest.mark.parametrize("stack", STACKS)
def test_a_shifted_line_another_message_and_another_release_are_the_same(stack: str) -> None:
    later = (
        stack.replace("41", "58")
        .replace("order 17", "order 9999")
        .replace("20261101", "20261203")
        .replace("3f2a9c1b", "77ad01fe")
        .replace("/build/shop", "/home/ci/work/shop")
        .replace("C:\\build", "D:\\agent\\1")
        .replace("[5]", "[8]")
    )
    assert later != stack
    assert key(later) == key(stack)


@pytest.mark.parametrize("stack", STACKS)
def test_another_function_is_another_fault(stack: str) -> None:
    moved = stack.replace("Save", "Load").replace("save", "load").replace("create", "remove")
    assert key(moved) != key(stack)


@pytest.mark.parametrize("stack", STACKS)
def test_carriage_returns_change_nothing(stack: str) -> None:
    assert key(stack.replace("\n", "\r\n")) == key(stack)


def deep(depth: int) -> None:
    if depth:
        deep(depth - 1)
    raise ValueError(depth)


def told(depth: int) -> str:
    try:
        deep(depth)
    except ValueError:
        return traceback.format_exc()
    return ""


def test_recursion_is_the_same_however_deep() -> None:
    assert key(told(3)) == key(told(9)) == key(told(400))
    assert len(key(told(400))) == 3
    many = '  File "/srv/shop/tree.py", line 3, in walk\n    walk(child)\n'
    stacks = [
        f"Traceback (most recent call last):\n{many * times}RecursionError: deep" for times in (40, 9000)
    ]
    assert key(stacks[0]) == key(stacks[1]) == ("RecursionError", "shop/tree.py:walk")


def grouped(*kinds: str) -> str:
    """The sender's own lines; Python 3.11 and later write them."""
    members = "".join(
        f"    +---------------- {number} ----------------\n    | Traceback (most recent call last):\n"
        f'    |   File "/srv/shop/tasks.py", line {number}, in run\n    | {kind}: no\n'
        for number, kind in enumerate(kinds, 1)
    ).replace("    +--", "  +-+--", 1)
    return (
        "  + Exception Group Traceback (most recent call last):\n"
        '  |   File "/srv/shop/main.py", line 9, in main\n  |     await everything()\n'
        f"  | ExceptionGroup: several tasks failed ({len(kinds)} sub-exceptions)\n{members}"
        "    +------------------------------------\n"
    )


def test_a_group_is_what_its_members_are_in_any_order() -> None:
    assert key(grouped("KeyError", "OSError")) == key(grouped("OSError", "KeyError", "OSError"))
    assert key(grouped("KeyError")) != key(grouped("OSError"))
    assert key(grouped("KeyError"))[0] == "ExceptionGroup"


def test_where_no_frame_is_ours_all_count() -> None:
    stack = (
        'Traceback (most recent call last):\n  File "/x/lib/python3.11/json/decoder.py", line 5, in decode\n'
    )
    assert key(f"{stack}ValueError: no") == ("ValueError", "json/decoder.py:decode")


def test_the_same_name_in_another_folder_is_another_place() -> None:
    one, two = (
        f'  File "/srv/shop/{name}/views.py", line 5, in get\nKeyError: 1' for name in ("orders", "users")
    )
    assert key(one) != key(two)


@pytest.mark.parametrize("text", ["", "no frames here", "a:\n b\n c", "at the end of the day", "File x"])
def test_what_is_no_stack(text: str) -> None:
    assert parse_trace(text) is None


@given(st.lists(st.sampled_from([line for stack in STACKS for line in stack.split("\n")]), max_size=40))
def test_any_mixture_of_lines_is_taken(lines: list[str]) -> None:
    parse_trace("\n".join(lines))


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    parse_trace(text)
    parse_trace(f'  File "{text}", line 1, in {text}')


def test_names_of_types() -> None:
    assert [short_type_name(name) for name in ("a.b.CError", "A::B", "Outer$Inner", None)] == [
        "CError",
        "B",
        "Inner",
        "",
    ]
    assert parse_exception_type("sqlalchemy.exc.OperationalError: no") == "OperationalError"
    assert (
        parse_exception_type("Warning sign: no")
        == parse_exception_type("Note: no")
        == parse_exception_type(None)
        == ""
    )
