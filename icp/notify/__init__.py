"""Alerts: what happened as plain objects, who was told what already, and the ways to tell people."""
