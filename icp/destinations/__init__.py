"""Writing the tiers back to a CRM: planned, approved, ledgered row by row, verified, and undone on request."""
