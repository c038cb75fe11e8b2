"""One form for all generations: phases, inputs, paddings, and which layers an answer needs."""

from __future__ import annotations

import pytest

from alexnet.errors import WeightsError
from alexnet.importers.caffe.net import read_net
from alexnet.importers.caffe.subgraph import inference_subgraph


@pytest.fixture
def read(tmp_path):
    def read(text: str):
        (tmp_path / "net.prototxt").write_text(text)
        return read_net(tmp_path / "net.prototxt")

    return read


def planned(net) -> list[str]:
    return [layer.name for _, layer, _ in inference_subgraph(net).layers]


DATA = 'input: "data" input_shape { dim: 4 dim: 3 dim: 8 dim: 8 }\n'

TRAIN_VAL = """
layers { name: "d" type: DATA top: "data" top: "label" include: { phase: TRAIN }
  data_param { source: "x" batch_size: 9 } transform_param { crop_size: 9 mirror: true } }
layers { name: "d" type: IMAGE_DATA top: "data" top: "label" include { phase: TEST }
  image_data_param { scale: 0.5 mean_file: "m" } transform_param { crop_size: 7 } }
layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" exclude { stage: "deploy" }
  exclude { phase: TRAIN } }
layers { name: "aux" type: INNER_PRODUCT bottom: "c" top: "aux" }
layers { name: "loss1" type: SOFTMAX_LOSS bottom: "aux" bottom: "label" top: "loss1" }
layers { name: "odd" type: BNLL bottom: "aux" top: "odd" }
layers { name: "fc" type: INNER_PRODUCT bottom: "c" top: "fc" }
layers { name: "r" type: RELU bottom: "fc" top: "fc" }
layers { name: "acc" type: ACCURACY bottom: "fc" bottom: "label" top: "acc" }
layers { name: "loss" type: SOFTMAX_LOSS bottom: "fc" bottom: "label" }
"""


def test_of_a_training_description_the_testing_phase_is_left(read):
    net = read(TRAIN_VAL.replace('exclude { stage: "deploy" }', ""))
    image = net.images[0]
    assert (image.blob, image.side, image.scale, image.mean_file) == ("data", 7, 0.5, "m")
    assert planned(net) == ["c", "fc", "r"]


def test_a_description_for_training_alone_takes_its_images(read):
    text = """layer { name: "d" type: "Data" top: "data" include { phase: TRAIN }
      transform_param { crop_size: 9 } }"""
    net = read(text + RELU % ("r", "data", "r"))
    assert (net.images[0].side, planned(net)) == (9, ["r"])


@pytest.mark.parametrize(
    ("rules", "there"),
    [
        ("include { phase: TRAIN }", False),
        ("include { phase: TRAIN } include { phase: TEST }", True),
        ("exclude { phase: TEST }", False),
        ('include { stage: "deploy" }', True),
        ('include { stage: "val" }', False),
        ('exclude { stage: "deploy" }', False),
        ('include { not_stage: "deploy" }', False),
        ("include { min_level: 1 }", False),
        ("include { max_level: 3 }", True),
        ("", True),
    ],
)
def test_rules_of_phase_level_and_stage_are_caffes(read, rules, there):
    text = DATA + 'layer { name: "a" type: "ReLU" bottom: "data" top: "a" }'
    net = read(text + f'layer {{ name: "b" type: "ReLU" bottom: "data" top: "a" {rules} }}')
    assert ("b" in [each.name for each in net.layers]) is there


INPUTS = {
    "input_dim": 'input: "data" input_dim: 2 input_dim: 1 input_dim: 5 input_dim: 5',
    "input_shape": 'input: "data" input_shape { dim: 2 dim: 1 dim: 5 dim: 5 }',
    "layer": """layer { name: "data" type: "Input" top: "data"
        input_param { shape { dim: [2, 1, 5, 5] } } }""",
    "memory": """layer { name: "m" type: "MemoryData" top: "data" top: "label"
        memory_data_param { batch_size: 2 channels: 1 height: 5 width: 5 } }""",
}


@pytest.mark.parametrize("form", INPUTS)
def test_an_input_is_read_in_each_of_its_forms(read, form):
    net = read(f'{INPUTS[form]} layer {{ name: "r" type: "ReLU" bottom: "data" top: "r" }}')
    (image, *_) = net.images
    assert (image.blob, image.batch_size, image.channels, image.side) == ("data", 2, 1, 5)
    assert planned(net) == ["r"]


def test_blobs_that_are_written_over_are_told_apart(read):
    net = read(
        DATA
        + """
        layer { name: "a" type: "ReLU" bottom: "data" top: "x" }
        layer { name: "b" type: "Sigmoid" bottom: "x" top: "x" }
        layer { name: "c" type: "Eltwise" bottom: "x" bottom: "data" top: "x" }
        layer { name: "quiet" type: "Silence" bottom: "data" }
        layer { name: "p" type: "Softmax" bottom: "x" top: "p" }
        """
    )
    subgraph = inference_subgraph(net)
    names = {place: layer.name for place, layer, _ in subgraph.layers}
    made_of = {
        layer.name: [names.get(s.layer) for s in sources] for _, layer, sources in subgraph.layers
    }
    assert made_of == {"a": [None], "b": ["a"], "c": ["b", None]}
    assert names[subgraph.output.layer] == "c"  # the softmax at the end is ours to take


def test_of_several_outputs_the_only_softmax_is_taken(read):
    """As networks that also say where a face is, or keep the branches of their training."""
    both = RELU % ("box", "data", "box") + RELU % ("fc", "data", "fc")
    text = DATA + both + SOFTMAX % ("p", "fc", "prob") + RELU % ("aux", "data", "aux")
    subgraph = inference_subgraph(read(text))
    assert [layer.name for _, layer, _ in subgraph.layers] == ["fc"]
    assert subgraph.remarks == (
        'Of 3 outputs "prob" is taken, the only softmax; left out: "box", "aux".',
    )


def test_a_softmax_that_is_only_shaped_is_the_end(read):
    text = DATA + RELU % ("fc", "data", "fc") + SOFTMAX % ("p", "fc", "p")
    flat = RELU.replace("ReLU", "Flatten") % ("flat", "p", "flat")
    assert planned(read(text + flat)) == ["fc"]
    no_softmax = DATA + RELU % ("fc", "data", "fc") + flat.replace('"p"', '"fc"')
    assert planned(read(no_softmax)) == ["fc", "flat"]
    pooled = inference_subgraph(read(text + RELU.replace("ReLU", "Pooling") % ("mean", "p", "m")))
    assert [layer.name for _, layer, _ in pooled.layers] == ["fc", "p", "mean"]
    (said,) = pooled.remarks
    assert 'Behind the layer "p" (Softmax) come further layers' in said


RELU = 'layer { name: "%s" type: "ReLU" bottom: "%s" top: "%s" } '
SOFTMAX = RELU.replace("ReLU", "Softmax")
BOTH = 'layer { name: "r" type: "Concat" bottom: "data" bottom: "b" top: "r" }'
LABELLED = 'layer { name: "d" type: "Data" top: "data" top: "b" }'
PADDED = """layers { layer { type: 'padding' pad: 1 name: 'p' } bottom: 'd' top: 'p' }
layers { layer { type: 'relu' name: 'r' } bottom: 'p' top: 'r' }"""

WRONG = {
    "name: 'x'": "describes no layers",
    "net: 'x.prototxt' base_lr: 1": r"describes how to train \(a solver\)",
    "layer { type: 'ReLU' }\nlayers { type: RELU }": 'line 2: a network has "layer" or "layers"',
    DATA + RELU % ("r", "x", "r"): 'takes "x", which nothing',
    DATA + RELU % ("r", "data", "r") + RELU % ("s", "data", "s"): r'2 outputs \("r", "s"\)',
    DATA + 'layer { name: "p" type: "Slice" bottom: "data" top: "a" top: "b" }': r'\("a", "b"\)',
    DATA + SOFTMAX % ("r", "data", "r") + SOFTMAX % ("s", "data", "s"): r'2 outputs \("r", "s"\)',
    DATA + 'input: "b" input_shape { dim: 1 }' + BOTH: 'needs 2 inputs: "data", "b"; networks',
    LABELLED + BOTH: 'needs 2 inputs: "data", "b".*labels to some layers: give the one for deploy',
    DATA + 'layer { name: "p" type: "Softmax" bottom: "data" top: "p" }': "needs 0 inputs",
    'input: "d" input_dim: [1, 3, 8, 5000] layer { type: "X" }': "8 x 5000; images of up to 4096",
    'input: "d" input_dim: [1, 3, 8, 8] input_dim: [1] layer { }': "1 inputs have 2 shapes",
    PADDED: "stands behind the padding",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_understood_is_told(read, text):
    with pytest.raises(WeightsError, match=WRONG[text]):
        inference_subgraph(read(text))
