"""Where data come from: one module per kind of source; each stages loads in the lake."""
