"""A local server that speaks vendors' protocols over a made-up company, so that pulling is tried without a network."""
