"""A model whose model.yaml switches images off has no pipeline of them, and no image is built of it by mistake."""

import pytest

from services.contract.errors import Refused
from services.contract.model_config import Batch, list_models, load_model_config
from services.delivery.verbs.image import refuse_switched_off
from services.embedded.pipelines.gocd_yaml import load_pipelines
from tests.support.paths import MODELS, ROOT


@pytest.mark.parametrize("model", list_models(MODELS))
def test_a_shipped_model_has_a_pipeline_of_images_just_if_model_yaml_wants_them(model: str) -> None:
    pipelines = load_pipelines(ROOT / "services" / "gocd" / "pipelines.gocd.yaml").pipelines
    assert (f"{model}-batch" in pipelines) is load_model_config(MODELS, model).batch.image


def test_no_image_is_built_of_a_model_that_has_them_switched_off() -> None:
    config = load_model_config(MODELS, "diamond-price")
    refuse_switched_off(config)
    with pytest.raises(Refused) as refused:
        refuse_switched_off(config.model_copy(update={"batch": Batch(image=False)}))
    assert str(refused.value) == (
        "expected a model with machine images, found batch: {image: false} in the model.yaml of diamond-price: "
        "take diamond-price-batch out of the pipelines, or that line out of model.yaml"
    )
