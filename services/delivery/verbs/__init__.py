"""What `trackback` can be asked to do, one file a verb."""
