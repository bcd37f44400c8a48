"""Scores files of rows by one release on Spark, in this process or on a cluster."""
