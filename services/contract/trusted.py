"""The types that a skops file of ours may hold beside skops' own defaults; a model cannot extend this list."""

# Compared with skops.io.get_untrusted_types. Containers of arrays without code of their own, and one function that
# only copies: it makes a pipeline that was fitted on a DataFrame take a plain array as well.
SKLEARN_TRUSTED = frozenset(
    {
        "numpy.asarray",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
    }
)
