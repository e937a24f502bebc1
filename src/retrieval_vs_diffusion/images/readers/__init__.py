"""Where targets and pools come from: one file a format, one class with ``read()``."""
