"""The debug report: everything known about an incident, the cause first, to read at night or to paste."""

from firstcause.core.incidents.debug_report.build import build_debug_report, find_root_verdict
from firstcause.core.incidents.debug_report.markdown import as_markdown
from firstcause.core.incidents.debug_report.model import DebugReport
from firstcause.core.incidents.debug_report.text import as_text

__all__ = ["DebugReport", "as_markdown", "as_text", "build_debug_report", "find_root_verdict"]
