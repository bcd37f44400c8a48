"""The secrets of the compose stack: made once, each in the folder of the service that reads it."""
