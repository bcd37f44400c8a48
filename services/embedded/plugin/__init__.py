"""Runs the package-repository plugin in a JVM, and checks its answers by GoCD's rules."""
