"""The types that a skops file of ours may hold beside skops' own defaults; a model cannot extend this list."""

# Compared with skops.io.get_untrusted_types: each is a plain container of arrays, without code of its own.
SKLEARN_TRUSTED = frozenset(
    {
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
    }
)
