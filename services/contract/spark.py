"""What training with Spark and checking a Spark model have in common; nothing here imports pyspark."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.contract.errors import Refused
from services.contract.prediction import Labelled, Prediction

LOCALHOST = "127.0.0.1"
CLASSES = ("0", "1")
SESSION_SETTINGS = {
    "spark.driver.memory": "2g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Else the optimizer itself transforms the rows, on one core and interpreted.
    "spark.sql.execution.arrow.localRelationThreshold": "0",
}
ON_THIS_MACHINE = {"spark.driver.host": LOCALHOST, "spark.driver.bindAddress": LOCALHOST}

# Columns of a transformed frame. With names of labels, Spark's own number of a label is in another one.
PREDICTION, PROBABILITY, LABEL_NUMBER = "prediction", "probability", "prediction_index"
NAMES_OF_LABELS = "feature.IndexToString"

# What each stage of a plan becomes when it is fitted. Not among them, whatever else is added: SQLTransformer, whose SQL
# can call any static method of Java, and what a pipeline of Python would have to save by itself.
FEATURES = {
    "Binarizer": "feature.Binarizer",
    "Bucketizer": "feature.Bucketizer",
    "ChiSqSelector": "feature.ChiSqSelectorModel",
    "CountVectorizer": "feature.CountVectorizerModel",
    "DCT": "feature.DCT",
    "ElementwiseProduct": "feature.ElementwiseProduct",
    "FeatureHasher": "feature.FeatureHasher",
    "HashingTF": "feature.HashingTF",
    "IDF": "feature.IDFModel",
    "Imputer": "feature.ImputerModel",
    "Interaction": "feature.Interaction",
    "MaxAbsScaler": "feature.MaxAbsScalerModel",
    "MinMaxScaler": "feature.MinMaxScalerModel",
    "NGram": "feature.NGram",
    "Normalizer": "feature.Normalizer",
    "OneHotEncoder": "feature.OneHotEncoderModel",
    "PCA": "feature.PCAModel",
    "PolynomialExpansion": "feature.PolynomialExpansion",
    "QuantileDiscretizer": "feature.Bucketizer",
    "RegexTokenizer": "feature.RegexTokenizer",
    "RobustScaler": "feature.RobustScalerModel",
    "StandardScaler": "feature.StandardScalerModel",
    "StopWordsRemover": "feature.StopWordsRemover",
    "StringIndexer": "feature.StringIndexerModel",
    "TargetEncoder": "feature.TargetEncoderModel",
    "Tokenizer": "feature.Tokenizer",
    "UnivariateFeatureSelector": "feature.UnivariateFeatureSelectorModel",
    "VarianceThresholdSelector": "feature.VarianceThresholdSelectorModel",
    "VectorAssembler": "feature.VectorAssembler",
    "VectorIndexer": "feature.VectorIndexerModel",
    "VectorSizeHint": "feature.VectorSizeHint",
    "VectorSlicer": "feature.VectorSlicer",
    "Word2Vec": "feature.Word2VecModel",
}
# Of those with a probability: LinearSVC and OneVsRest have none.
CLASSIFIERS = {
    "DecisionTreeClassifier": "classification.DecisionTreeClassificationModel",
    "FMClassifier": "classification.FMClassificationModel",
    "GBTClassifier": "classification.GBTClassificationModel",
    "LogisticRegression": "classification.LogisticRegressionModel",
    "MultilayerPerceptronClassifier": "classification.MultilayerPerceptronClassificationModel",
    "NaiveBayes": "classification.NaiveBayesModel",
    "RandomForestClassifier": "classification.RandomForestClassificationModel",
}
OF_TWO_LABELS = frozenset({"FMClassifier", "GBTClassifier"})
REGRESSORS = {
    "DecisionTreeRegressor": "regression.DecisionTreeRegressionModel",
    "FMRegressor": "regression.FMRegressionModel",
    "GBTRegressor": "regression.GBTRegressionModel",
    "GeneralizedLinearRegression": "regression.GeneralizedLinearRegressionModel",
    "IsotonicRegression": "regression.IsotonicRegressionModel",
    "LinearRegression": "regression.LinearRegressionModel",
    "RandomForestRegressor": "regression.RandomForestRegressionModel",
}
# Those that are written as ONNX; a model with another one is for batch only.
ONLINE = frozenset(
    {
        "feature.Binarizer",
        "feature.Bucketizer",
        "feature.ChiSqSelectorModel",
        "feature.ElementwiseProduct",
        "feature.ImputerModel",
        "feature.MaxAbsScalerModel",
        "feature.MinMaxScalerModel",
        "feature.OneHotEncoderModel",
        "feature.PCAModel",
        "feature.RobustScalerModel",
        "feature.StandardScalerModel",
        "feature.StringIndexerModel",
        "feature.UnivariateFeatureSelectorModel",
        "feature.VarianceThresholdSelectorModel",
        "feature.VectorAssembler",
        "feature.VectorSlicer",
        "classification.DecisionTreeClassificationModel",
        "classification.GBTClassificationModel",
        "classification.LogisticRegressionModel",
        "classification.MultilayerPerceptronClassificationModel",
        "classification.NaiveBayesModel",
        "classification.RandomForestClassificationModel",
        "regression.DecisionTreeRegressionModel",
        "regression.GBTRegressionModel",
        "regression.GeneralizedLinearRegressionModel",
        "regression.LinearRegressionModel",
        "regression.RandomForestRegressionModel",
    }
)


def predictions(
    answers: Mapping[str, Sequence[Any]], labels: Sequence[str] | None, all_classes: bool = False
) -> list[Prediction]:
    """`answers` are columns of a transformed frame: `prediction` of shape (rows,) and, of a classifier, `probability`
    of shape (rows, labels), in the order of `labels`; without names these are 0 and 1. With `all_classes` each answer
    has all of them.

    Raises Refused for a model of more labels than have names.
    """
    found = answers[PREDICTION]
    if PROBABILITY not in answers:
        return [float(number) for number in found]
    known = CLASSES if labels is None else labels
    if any(len(each) != len(known) for each in answers[PROBABILITY]):
        raise Refused(f"expected a model of the labels {', '.join(known)}, found one of another number")
    places = {label: place for place, label in enumerate(known)}
    return [
        Labelled(
            label=int(label) if labels is None else label,
            probability=each[1 if labels is None else places[label]],
            probabilities=dict(zip(known, each, strict=True)) if all_classes else None,
        )
        for label, each in zip(found, answers[PROBABILITY], strict=True)
    ]
