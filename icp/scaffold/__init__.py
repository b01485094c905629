"""Files that start a project, or add a feature, a source or a destination to one; what exists is never overwritten."""
