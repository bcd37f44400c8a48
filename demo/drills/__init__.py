"""`scripts/drill`: bad candidates planted on purpose, and the gate that stops each."""
