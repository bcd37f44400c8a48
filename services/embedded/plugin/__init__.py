"""Hosts the package-repository plugin in a JVM and holds its answers to GoCD's rules."""
