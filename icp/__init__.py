"""icp-refresh: keeps a company's Ideal Customer Profile true, with intervals on every number."""

__version__ = "0.1.0"
