"""The gates of validate and compare, one module each: from what was measured to checks, and nothing asked twice."""
