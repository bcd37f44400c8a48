"""How the answers of a batch are distributed, as Spark counts them in its output."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as sql

from services.contract import names
from services.contract.distribution import QUANTILES, Distribution, is_of_labels
from services.contract.task import Task

# Of percentile_approx: a quantile is off by no more than this share of the rows.
_ACCURACY = 10_000


def distribution(scored: DataFrame, task: Task, edges: Sequence[float]) -> Distribution:
    """`edges` are those of the distribution that it is held against."""
    if is_of_labels(task):
        counted = scored.groupBy(names.GRAPH_LABEL).count().collect()
        labels = {str(one[names.GRAPH_LABEL]): one["count"] for one in counted}
        return Distribution(rows=sum(labels.values()), labels=labels)
    answer = sql.col(names.GRAPH_PREDICTION if task == "regression" else names.GRAPH_PROBABILITY).cast("double")
    beyond = [sql.count_if(answer > edge).alias(f"beyond_{place}") for place, edge in enumerate(edges)]
    quantiles = sql.percentile_approx(answer, list(QUANTILES), _ACCURACY).alias("quantiles")
    found = scored.agg(sql.count("*").alias("rows"), sql.avg(answer).alias("mean"), quantiles, *beyond).collect()[0]
    if not found["rows"]:
        return Distribution(rows=0)
    above = [found["rows"], *(found[f"beyond_{place}"] for place in range(len(edges))), 0]
    counts = tuple(one - next_one for one, next_one in zip(above, above[1:], strict=False))
    return Distribution(
        rows=found["rows"],
        edges=tuple(edges),
        counts=counts if edges else (),
        mean=found["mean"],
        quantiles={str(share): value for share, value in zip(QUANTILES, found["quantiles"], strict=True)},
    )
