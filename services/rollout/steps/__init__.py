"""How a candidate takes over: step by step, each judged, and back by itself when one is not well."""
