"""For tests of plugins: a whole firstcause in the test's process, a clock that the test sets, and receivers.

A plugin's tests load it as a pytest plugin, in their conftest.py: `pytest_plugins = ["firstcause.testing"]`.
The fixtures are `plugin_host`, `http_sink` and `smtp_sink`.
"""

from firstcause.testing.fixtures import http_sink, plugin_host, smtp_sink
from firstcause.testing.host import FakeClock, Host, RecordedNotifier, make_event, make_notification
from firstcause.testing.sinks import HttpRequest, HttpSink, SmtpSink

__all__ = [
    "FakeClock",
    "Host",
    "HttpRequest",
    "HttpSink",
    "RecordedNotifier",
    "SmtpSink",
    "http_sink",
    "make_event",
    "make_notification",
    "plugin_host",
    "smtp_sink",
]
