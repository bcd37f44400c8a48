"""The part of GoCD's REST API that Trackback uses: one noun a file."""
