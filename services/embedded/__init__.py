"""The one-machine stand-in for GoCD, and the supervisor of the embedded platform."""
