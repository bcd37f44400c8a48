"""The short way of a request: what it does not take for certain goes the general way, whose answers it gives."""
