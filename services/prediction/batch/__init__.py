"""Scores batches of rows as the online service answers them, whatever holds them: Arrow, Parquet, CSV or JSON lines.

pyarrow is imported here and nowhere else in the service: who answers online does not load it.
"""
