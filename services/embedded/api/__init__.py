"""The part of GoCD's REST API that Trackback uses: one resource a file."""
