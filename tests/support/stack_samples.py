"""Stacks as the runtimes of many languages write them, and what must come of them."""

from __future__ import annotations

from typing import NamedTuple


class Sample(NamedTuple):
    """A stack as a runtime writes it.

    parts: what the grouping key has, its type first. foreign: what it does not have. same: replacements after
    which it is the same fault. other: one after which it is another fault.
    """

    stack: str
    title: str
    parts: list[str]
    foreign: list[str]
    same: list[tuple[str, str]]
    other: tuple[str, str]


SAMPLES = {
    "rust": Sample(
        """
thread 'worker-3' (24398) panicked at src/bank.rs:41:9:
index out of bounds: the len is 3 but the index is 7
stack backtrace:
   0: __rustc::rust_begin_unwind
             at /rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/std/src/panicking.rs:689:5
   1: core::panicking::panic_fmt
             at /rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/panicking.rs:80:14
   2: <alloc::vec::Vec<T,A> as core::ops::index::Index<I>>::index
   3: shop::bank::Account::charge::{{closure}}
             at ./src/bank.rs:41:9
   4: shop::bank::Account::charge::h0123456789abcdef
             at ./src/bank.rs:40:5
   5: tokio::runtime::task::run
             at /root/.cargo/registry/src/index.crates.io/tokio-1.40/src/task.rs:1:2
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
""",
        "index out of bounds: the len is 3 but the index is 7",
        ["panic", "src/bank.rs:shop::bank::Account::charge"],
        ["tokio", "panic_fmt", "Index<I>", "closure"],
        [
            ("worker-3", "main"),
            ("(24398)", "(7)"),
            (":41:9", ":58:9"),
            ("index is 7", "index is 99"),
            ("h0123456789abcdef", "hfedcba9876543210"),
            ("59807616e1fa", "0123416e1fa2"),
        ],
        ("charge", "refund"),
    ),
    "rust without a backtrace": Sample(
        "thread 'main' panicked at src/main.rs:90:5:\nno route to shop 7\nnote: run with `RUST_BACKTRACE=1`",
        "no route to shop 7",
        ["panic", "src/main.rs:"],
        ["90"],
        [("90:5", "91:7"), ("shop 7", "shop 17"), ("'main'", "'<unnamed>'")],
        ("no route", "no ticket"),
    ),
    "rust before 1.73": Sample(
        "thread 'main' panicked at 'no route to shop 7', src/main.rs:90:5",
        "no route to shop 7",
        ["panic", "src/main.rs:"],
        ["90"],
        [("90:5", "91:7"), ("shop 7", "shop 17")],
        ("no route", "no ticket"),
    ),
    "anyhow": Sample(
        "Error: could not start\n\nCaused by:\n    No such file\n\nStack backtrace:\n"
        "   0: anyhow::error::<impl anyhow::Error>::msg\n"
        "             at /root/.cargo/registry/src/index/anyhow-1.0/src/error.rs:10:5\n"
        "   1: shop::load\n             at ./src/load.rs:3:4\n",
        "Error: could not start",
        ["Error", "src/load.rs:shop::load"],
        ["anyhow"],
        [(":3:4", ":9:4")],
        ("shop::load", "shop::save"),
    ),
    "php": Sample(
        "PHP Fatal error:  Uncaught Error: Call to a member function pay() on null in "
        "/srv/shop/src/Cart.php:12\n"
        "Stack trace:\n#0 /srv/shop/src/Kernel.php(33): Shop\\Cart->close(Object(Shop\\User), Array)\n"
        "#1 [internal function]: Shop\\Kernel->handle()\n"
        "#2 /srv/shop/vendor/x/Router.php(3): call_user_func()\n#3 {main}\n"
        "  thrown in /srv/shop/src/Cart.php on line 12",
        "Error: Call to a member function pay() on null",
        ["Error", "src/Cart.php:Shop\\Cart->close", "src/Kernel.php:Shop\\Kernel->handle"],
        ["call_user_func", "Router"],
        [("php:12", "php:19"), ("(33)", "(34)"), ("/srv/shop", "/var/www/releases/7"), ("#3 {main}", "#3 x")],
        ("Cart", "Invoice"),
    ),
    "php with a previous exception": Sample(
        "Uncaught PDOException: gone in /srv/shop/src/Db.php:7\nStack trace:\n#0 "
        "/srv/shop/src/Repo.php(3): Db->query()\n"
        "#1 {main}\n\nNext RuntimeException: order 7 not stored in /srv/shop/src/Repo.php:9\nStack trace:\n"
        "#0 /srv/shop/public/index.php(3): Repo->store()\n#1 {main}\n  thrown in /srv/shop/src/Repo.php "
        "on line 9",
        "RuntimeException: order 7 not stored",
        ["RuntimeException", "src/Repo.php:Repo->store", "<-", "PDOException"],
        [],
        [("order 7", "order 19")],
        ("Db->query", "Db->begin"),
    ),
    "php warning": Sample(
        "PHP Warning:  Undefined variable $total in /srv/shop/cart.php on line 12",
        "Undefined variable $total",
        ["Warning", "shop/cart.php:"],
        ["12"],
        [("line 12", "line 19")],
        ("cart", "invoice"),
    ),
    "laravel": Sample(
        '[2026-01-01 00:00:00] production.ERROR: Connection refused {"userId":7,"exception":"[object] '
        "(PDOException(code: 2002): Connection refused at /srv/shop/app/Db.php:70)\n[stacktrace]\n"
        '#0 /srv/shop/app/Repo.php(70): App\\Db->connect()\n#1 {main}\n"} ',
        "Connection refused",
        ["PDOException", "app/Db.php:App\\Db->connect"],
        ["2002"],
        [("00:00:00", "01:02:03"), ("php:70", "php:71"), ('"userId":7', '"userId":8')],
        ("connect", "query"),
    ),
    "perl": Sample(
        "order 7 not saved at lib/Shop.pm line 4.\n\tShop::save(7) called at bin/run.pl line 9\n"
        "\teval {...} called at bin/run.pl line 8\n",
        "order 7 not saved",
        ["die", "lib/Shop.pm:Shop::save", "bin/run.pl:<main>"],
        ["eval"],
        [("order 7", "order 19"), ("line 4", "line 5")],
        ("not saved", "not found"),
    ),
    "elixir": Sample(
        "[error] GenServer Shop.Worker terminating\n** (KeyError) key :price not found in: %{id: 7}\n"
        "    (shop 0.1.0) lib/shop/order.ex:12: anonymous fn/1 in Shop.Order.total/1\n"
        "    (shop 0.1.0) lib/shop/order.ex:20: Shop.Order.save/2\n"
        "    (stdlib 5.0) gen_server.erl:1123: :gen_server.try_handle_call/4\nLast message: {:save, 7}",
        "KeyError: key :price not found in: %{id: 7}",
        ["KeyError", "shop/order.ex:Shop.Order.total/1", "shop/order.ex:Shop.Order.save/2"],
        ["gen_server"],
        [("ex:12", "ex:13"), ("0.1.0", "0.2.0"), ("id: 7", "id: 8"), ("fn/1", "fn/2")],
        ("total", "tax"),
    ),
    "erlang": Sample(
        "=ERROR REPORT==== 30-Nov-2026::02:10:12.893751 ===\nError in process <0.79.0> with exit value:\n"
        "{{badmatch,{error,enoent}},[{shop,'-save/1-fun-0-',1,[{file,\"src/shop.erl\"},{line,2}]},\n"
        '            {lists,map,2,[{file,"lists.erl"},{line,1315}]}]}\n',
        "badmatch: {error,enoent}",
        ["badmatch", "src/shop.erl:shop:save"],
        ["lists"],
        [("<0.79.0>", "<0.80.0>"), ("{line,2}", "{line,9}"), ("30-Nov", "29-Nov"), ("fun-0", "fun-3")],
        ("save", "load"),
    ),
    "erlang's shell": Sample(
        "exception error: bad argument\n  in function  shop:save/1 (src/shop.erl, line 2)\n"
        "  in call from lists:map/2 (lists.erl, line 1315)\n",
        "bad argument",
        ["error", "src/shop.erl:shop:save"],
        ["lists"],
        [("line 2)", "line 3)")],
        ("bad arg", "bad map"),
    ),
    "dart": Sample(
        "Unhandled exception:\nBad state: No element\n#0      Iterable.first (dart:core/iterable.dart:10:5)\n"
        "#1      Order.save.<anonymous closure> (package:shop/order.dart:12:5)\n<asynchronous suspension>\n"
        "#2      main (file:///srv/shop/bin/main.dart:3:4)",
        "Bad state: No element",
        ["", "package:shop/order.dart:Order.save", "bin/main.dart:main"],
        ["Iterable"],
        [(":12:5", ":19:7")],
        ("Order.save", "Order.load"),
    ),
    "flutter": Sample(
        "══╡ EXCEPTION CAUGHT BY WIDGETS LIBRARY ╞═════\nThe following _TypeError was thrown building "
        "Cart(dirty):\n"
        "Null check operator used on a null value\n\nWhen the exception was thrown, this was the stack:\n"
        "#0      Cart.build (package:shop/cart.dart:12:5)\n"
        "#1      StatelessElement.build (package:flutter/src/widgets/framework.dart:1:2)",
        "TypeError: Null check operator used on a null value",
        ["TypeError", "package:shop/cart.dart:Cart.build"],
        ["StatelessElement"],
        [(":12:5", ":19:7")],
        ("Cart.build", "Cart.dispose"),
    ),
    "swift": Sample(
        "Fatal error: Index out of range: file shop/Order.swift, line 12\n\nThread 0 crashed:\n\n"
        "0 [inlined] [system] 0x00007fff6ca0 _assertionFailure + 12 in libswiftCore.so\n"
        "1 0x0000000100003f closure #1 in Order.save() + 12 in shop at /srv/shop/Order.swift:12:9\n\n"
        "Thread 1:\n\n"
        "0 0x0000000100003f Idle.wait() + 12 in shop at /srv/shop/Idle.swift:2:9\n",
        "Index out of range",
        ["fatal error", "shop/Order.swift:Order.save()"],
        ["assertionFailure", "Idle"],
        [("12:9", "19:9"), ("line 12", "line 19"), ("100003f", "100004a")],
        ("Order.save", "Order.load"),
    ),
    "apple's crash report": Sample(
        "*** Terminating app due to uncaught exception 'NSRangeException', reason: 'index 7 beyond bounds'\n"
        "0   CoreFoundation                      0x000000010a1 __exceptionPreprocess + 242\n"
        "1   Shop                                0x000000010b2 -[Cart item:] + 30 (Cart.m:12)\n",
        "NSRangeException: index 7 beyond bounds",
        ["NSRangeException", "Cart.m:-[Cart item:]"],
        ["exceptionPre"],
        [("index 7", "index 9"), ("10b2", "10c3"), ("m:12", "m:13")],
        ("item:]", "total]"),
    ),
    "gdb": Sample(
        "terminate called after throwing an instance of 'shop::NoRoute'\n  what():  no route to 7\n\n"
        "Program received signal SIGABRT, Aborted.\n"
        "#0  __pthread_kill_implementation (threadid=<optimized out>, signo=6) at ./nptl/pthread_kill.c:44\n"
        "#1  0x00007ffff7ca8e85 in std::terminate() () from /lib/x86_64-linux-gnu/libstdc++.so.6\n"
        "#2  0x00005555555552a8 in shop::save<int> (order=0x7ffe, x=1) at src/shop.cpp:3\n"
        "#3  0x0000555555555304 in main (c=1, v=0x7fffffffe718) at src/main.cpp:4\n",
        "NoRoute: no route to 7",
        ["NoRoute", "src/shop.cpp:shop::save", "src/main.cpp:main"],
        ["terminate", "pthread"],
        [
            ("00005555555552a8", "0000555555555fff"),
            ("order=0x7ffe", "order=0x7abc"),
            ("cpp:3", "cpp:9"),
            ("route to 7", "route to 8"),
        ],
        ("shop::save", "shop::load"),
    ),
    "address sanitizer": Sample(
        "=================================================================\n"
        "==24558==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000018 at pc 0x55ad bp "
        "0x7f sp 0x7\n"
        "READ of size 4 at 0x602000000018 thread T0\n    #0 0x55ad47a291bf in total /srv/shop/cart.c:3\n"
        "    #1 0x55ad47a291f6 in main /srv/shop/main.c:9\n"
        "    #2 0x7fcaa2445249 in __libc_start_call_main ../sysdeps/nptl/libc_start_call_main.h:58\n\n"
        "freed by thread T0 here:\n    #0 0x7fcaa26b76a8 in release /srv/shop/other.c:5\n",
        "AddressSanitizer: heap-use-after-free",
        ["AddressSanitizer: heap-use-after-free", "shop/cart.c:total", "shop/main.c:main"],
        ["libc", "release"],
        [("24558", "7"), ("55ad47a291bf", "55ad47a29fff"), ("cart.c:3", "cart.c:7")],
        ("use-after-free", "overflow"),
    ),
    "backtrace_symbols": Sample(
        "shop: cart.c:12: total: Assertion `count > 0' failed.\n/srv/shop/bin/shop(total+0x1a) [0x55d3]\n"
        "/lib/x86_64-linux-gnu/libc.so.6(+0x3c050) [0x7f]\n/srv/shop/bin/shop(main+0x1) [0x1]\n",
        "shop: cart.c:12: total: Assertion `count > 0' failed.",
        ["Assertion", ":total", ":main"],
        ["libc"],
        [("+0x1a", "+0x2b"), ("0x55d3", "0x66e4")],
        ("total", "tax"),
    ),
    "powershell": Sample(
        "Get-Item : Cannot find path 'C:\\orders\\7' because it does not exist.\nAt "
        "C:\\scripts\\deploy.ps1:12 char:5\n"
        "+     Get-Item C:\\orders\\7\n+     ~~~~~~~~\n"
        "    + CategoryInfo          : ObjectNotFound: (C:\\orders\\7:String) [Get-Item], "
        "ItemNotFoundException\n"
        "    + FullyQualifiedErrorId : PathNotFound,Microsoft.PowerShell.Commands.GetItemCommand",
        "Get-Item : Cannot find path 'C:\\orders\\7' because it does not exist.",
        ["PathNotFound", "scripts/deploy.ps1:"],
        ["12"],
        [("orders\\7", "orders\\8"), ("ps1:12", "ps1:13")],
        ("PathNotFound", "AccessDenied"),
    ),
    "python with a note": Sample(
        'Traceback (most recent call last):\n  File "/srv/shop/w.py", line 8, in load\n    x()\n'
        "KeyError: 'x'\nread shop.csv\nand more",
        "KeyError: 'x'",
        ["KeyError", "shop/w.py:load"],
        ["more"],
        [("line 8", "line 9"), ("and more", "and less")],
        ("KeyError", "TypeError"),
    ),
    "ruby": Sample(
        "/srv/shop/order.rb:41:in `save': undefined method `pay' for nil (NoMethodError)\n\n  cart.pay\n "
        "     ^^^^\n"
        "\tfrom /srv/shop/order.rb:30:in `block (2 levels) in all'\n",
        "NoMethodError: undefined method `pay' for nil",
        ["NoMethodError", "shop/order.rb:save", "shop/order.rb:all"],
        [],
        [("rb:41", "rb:42"), ("`save'", "'Shop::Order#save'"), ("in all'", "in Shop::Order.all'")],
        ("`save'", "`load'"),
    ),
    "rails": Sample(
        "NoMethodError (undefined method `pay' for nil:NilClass):\n  \napp/models/order.rb:12:in `save'\n",
        "NoMethodError: undefined method `pay' for nil:NilClass",
        ["NoMethodError", "models/order.rb:save"],
        [],
        [("rb:12", "rb:13")],
        ("save", "load"),
    ),
    "go": Sample(
        "panic: order 7: no route\n\ngoroutine 1 [running]:\nmain.(*Store).Save(0xc0000b2000, 0x11)\n"
        "\t/src/shop/store.go:41 +0x1d\nmain.main.func2()\n\t/src/shop/main.go:12 +0x1d\nexit status 2",
        "order 7: no route",
        ["panic", "shop/store.go:main.(*Store).Save"],
        [],
        [("go:41", "go:42"), ("order 7", "order 8"), ("0xc0000b2000", "0xc000010000")],
        ("no route", "no ticket"),
    ),
    "go's server": Sample(
        "2026/01/02 10:00:00 http: panic serving 127.0.0.1:55: runtime error: invalid memory address or "
        "nil pointer\n"
        "goroutine 7 [running]:\nnet/http.(*conn).serve.func1()\n"
        "\t/usr/local/go/src/net/http/server.go:1 +0x1\n"
        "main.handle({0x1, 0x2}, 0x3)\n\t/src/shop/main.go:12 +0x1d",
        "runtime error: invalid memory address or nil pointer",
        ["panic runtime error: invalid memory address or nil pointer", "shop/main.go:main.handle"],
        ["net/http"],
        [(":55", ":77"), ("goroutine 7", "goroutine 9"), ("10:00:00", "11:00:00")],
        ("main.handle", "main.list"),
    ),
    "go, an error with its stack": Sample(
        "cannot delete space 7: timeout\nmain.handle\n\t/src/shop/main.go:3\nmain.serve\n"
        "\t/src/shop/main.go:9",
        "cannot delete space 7: timeout",
        ["error", "shop/main.go:main.handle"],
        [],
        [("space 7", "space 8"), ("go:3", "go:4")],
        ("delete", "create"),
    ),
    "java": Sample(
        'Exception in thread "main" java.lang.IllegalStateException: order 7 not saved\n'
        "\tat com.acme.Shop$$SpringCGLIB$$0.save(<generated>)\n\tat "
        "com.acme.Shop.lambda$save$12(Shop.java:3)\n"
        "\tat app//com.acme.Orders.all(Orders.java:9) ~[app.jar!/:1.0]\n"
        "\tat jdk.proxy2/jdk.proxy2.$Proxy55.run(Unknown Source)\n"
        "    Suppressed: java.io.IOException: closing\n        at com.acme.Pool.close(Pool.java:9)\n"
        "    Caused by: java.lang.Error: deep\n        at com.acme.Deep.go(Deep.java:9)\n"
        "Caused by: java.sql.SQLException: gone\n\tat com.acme.Db.query(Db.java:4)\n\t... 3 more",
        "IllegalStateException: order 7 not saved",
        [
            "IllegalStateException",
            ":com.acme.Shop.save",
            ":com.acme.Orders.all",
            "<-",
            "SQLException",
            ":com.acme.Db.query",
        ],
        ["CGLIB", "lambda", "Pool", "Deep"],
        [("CGLIB$$0", "CGLIB$$1"), ("save$12", "save$13"), ("Proxy55", "Proxy7"), ("order 7", "order 8")],
        ("Db.query", "Db.begin"),
    ),
    "android": Sample(
        "FATAL EXCEPTION: main\nProcess: com.acme.shop, PID: 7\njava.lang.IllegalStateException: no cart\n"
        "\tat com.acme.shop.Cart$open$1.invokeSuspend(Cart.kt:12)\n\tat "
        "android.os.Handler.run(Handler.java:3)\n",
        "IllegalStateException: no cart",
        ["IllegalStateException", ":com.acme.shop.Cart$open.invokeSuspend"],
        ["android.os"],
        [("PID: 7", "PID: 8"), ("kt:12", "kt:13")],
        ("Cart$open", "Cart$close"),
    ),
    "java after a log line": Sample(
        "2026-01-01 12:00:00,123 ERROR [main] com.acme.Orders - could not save\nERROR: again\n"
        "java.lang.IllegalStateException: order 7\n\tat com.acme.Shop.save(Shop.java:3)\n",
        "could not save",
        ["IllegalStateException", ":com.acme.Shop.save"],
        [],
        [("order 7", "order 8"), ("12:00:00", "13:00:00")],
        ("Shop.save", "Shop.load"),
    ),
    "node": Sample(
        "file:///srv/shop/src/cart.mjs:1\nthrow new TypeError('x')\n      ^\n\nTypeError: cannot save 7\n"
        "    at save (file:///srv/shop/src/cart.mjs:1:41)\n    at async file:///srv/shop/src/main.mjs:2:1 {\n"
        "  [cause]: Error: inner\n      at load (file:///srv/shop/src/cart.mjs:1:83)\n}\n\nNode.js "
        "v20.20.2\n",
        "TypeError: cannot save 7",
        ["TypeError", "src/cart.mjs:save", "src/main.mjs:<anonymous>", "<-", "Error", "src/cart.mjs:load"],
        [],
        [(":1:41", ":2:41"), ("save 7", "save 8"), ("v20.20.2", "v22.1.0")],
        ("at save", "at drop"),
    ),
    "node, a rejection": Sample(
        "node:internal/process/promises:389\n      new UnhandledPromiseRejection(reason);\n      ^\n\n"
        "UnhandledPromiseRejection: This error originated either by throwing inside of an async function "
        "without a "
        "catch block, or by rejecting a promise which was not handled with .catch(). The promise "
        "rejected with the "
        'reason "no route to 7".\n'
        "    at throwUnhandledRejectionsMode (node:internal/process/promises:389:7)\n"
        "    at process.processTicksAndRejections (node:internal/process/task_queues:96:32) {\n"
        "  code: 'ERR_UNHANDLED_REJECTION'\n}\n",
        "no route to 7",
        ["UnhandledPromiseRejection"],
        [],
        [("to 7", "to 8")],
        ("no route", "no ticket"),
    ),
    "eval": Sample(
        "Uncaught (in promise) TypeError: total is not a function\n"
        "    at eval (eval at run (https://shop.example/assets/rules.js:4:9), <anonymous>:1:6)\n"
        "    at Cart (webpack-internal:///(app-pages-browser)/./src/cart.tsx:12:5)\n"
        "    at render (webpack-internal:///./node_modules/react-dom/x.js:1:2)",
        "TypeError: total is not a function",
        ["TypeError", "assets/rules.js:eval", "src/cart.tsx:Cart"],
        ["react-dom"],
        [(":12:5", ":13:5"), (":4:9", ":5:9")],
        ("cart.tsx", "order.tsx"),
    ),
    "firefox": Sample(
        "save/<@https://shop.example/assets/index-BxkT9a2Q.js:1:20\n"
        "async*open@https://shop.example/assets/index-BxkT9a2Q.js:3:20\n"
        "@https://shop.example/assets/a.js line 3 > eval:1:2\n",
        "error in save (assets/index.js)",
        ["", "assets/index.js:save", "assets/index.js:open"],
        ["async"],
        [("BxkT9a2Q", "C_d0-4xZ"), (":1:20", ":2:9")],
        ("save", "load"),
    ),
    "safari": Sample(
        "TypeError: undefined is not an object (evaluating 'a.b')\nsave@https://shop.example/a.js:1:20\n"
        "[native code]\n"
        "global code@https://shop.example/a.js:3:20",
        "TypeError: undefined is not an object (evaluating 'a.b')",
        ["TypeError", "a.js:save", "a.js:global code"],
        [],
        [(":1:20", ":2:20")],
        ("save", "load"),
    ),
    ".net": Sample(
        "Unhandled exception. System.InvalidOperationException: order 7 failed (a: b)\n"
        " ---> System.Net.Http.HttpRequestException: Connection refused (bank:443)\n"
        " ---> System.Net.Sockets.SocketException (111): Connection refused\n"
        "   at System.Net.Sockets.Socket.Connect(String x)\n   --- End of inner exception stack trace ---\n"
        "   at Acme.Http.<SendAsync>d__3`1.MoveNext() in /src/Http.cs:line 4\n"
        "   --- End of inner exception stack trace ---\n"
        "   at Acme.Shop.<>c__DisplayClass3_0.<<SaveAll>b__0>d.MoveNext() in /src/Shop.cs:line 4\n"
        "--- End of stack trace from previous location ---\n"
        "   at Acme.Shop.<SaveAsync>d__5`1.MoveNext() in /src/Shop.cs:line 41\n"
        "   at Acme.Shop.<Save>g__Check|3_0(List`1 x, Func`2 f)\n   at Acme.List`1.Get[T](Int32 n)\n",
        "InvalidOperationException: order 7 failed (a: b)",
        [
            "InvalidOperationException",
            "src/Shop.cs:Acme.Shop.SaveAll",
            "src/Shop.cs:Acme.Shop.SaveAsync",
            ":Acme.Shop.Check",
            ":Acme.List.Get",
            "<-",
            "SocketException",
        ],
        ["MoveNext", "DisplayClass", "Socket.Connect"],
        [
            ("d__5", "d__6"),
            ("Class3_0", "Class4_0"),
            ("|3_0", "|4_1"),
            ("line 41", "line 58"),
            ("order 7", "order 8"),
        ],
        ("g__Check", "g__Verify"),
    ),
    ".net, handlers in the entry point": Sample(
        "System.DivideByZeroException: Attempted to divide by zero.\n"
        "   at Program.<>c.<<Main>$>b__0_3(HttpContext ctx) in /src/Program.cs:line 44",
        "System.DivideByZeroException: Attempted to divide by zero.",
        ["DivideByZeroException", "src/Program.cs:Program.<Main>$#3"],
        [],
        [("line 44", "line 45")],
        ("b__0_3", "b__0_4"),
    ),
    ".net, a group": Sample(
        "System.AggregateException: One or more errors occurred. (no a) (no b)\n ---> Acme.AException: no a\n"
        "   at Acme.A.Go() in /src/A.cs:line 3\n   --- End of inner exception stack trace ---\n"
        "   at Acme.Start.Run() in /src/M.cs:line 3\n ---> (Inner Exception #1) Acme.BException: no b\n"
        "   at Acme.B.Go() in /src/B.cs:line 3<---\n",
        "Acme.AException: no a",
        [
            "AggregateException",
            "src/M.cs:Acme.Start.Run",
            "<-",
            "AException",
            "src/A.cs:Acme.A.Go",
            "BException",
            "src/B.cs:Acme.B.Go",
        ],
        [],
        [("line 3", "line 4")],
        ("AException: no a", "CException: no c"),
    ),
    "mono": Sample(
        "System.NullReferenceException: Object reference not set\n"
        "  at Acme.Shop.Save (Acme.Order o) [0x00012] in <a1b2c3d4>:0 \n  at Acme.Start.Run () [0x00000] "
        "in /src/x.cs:12 ",
        "System.NullReferenceException: Object reference not set",
        ["NullReferenceException", ":Acme.Shop.Save", "src/x.cs:Acme.Start.Run"],
        ["a1b2c3d4"],
        [("a1b2c3d4", "d4c3b2a1"), ("0x00012", "0x00034"), ("cs:12", "cs:13")],
        ("Shop.Save", "Shop.Load"),
    ),
    "f#": Sample(
        "System.ArgumentException: boom 7\n   at Shop.Orders.save@12-3.Invoke(Unit unitVar0) in "
        "/src/Orders.fs:line 12\n"
        "   at Program.main@(String[] argv) in /src/Program.fs:line 3",
        "System.ArgumentException: boom 7",
        ["ArgumentException", "src/Orders.fs:Shop.Orders.save.Invoke", "src/Program.fs:Program.main"],
        ["@"],
        [("save@12-3", "save@14-1"), ("line 12", "line 14")],
        ("Orders.save", "Orders.load"),
    ),
}
