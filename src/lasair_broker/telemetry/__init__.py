"""What processes tell of their work as they do it: log lines, and traces of batches, requests and jobs."""

from ._logging import set_up_logging
from ._spans import Span, Value, begin, span, traced, within

__all__ = ["Span", "Value", "begin", "set_up_logging", "span", "traced", "within"]
