"""No field is passed over in silence: each is read, known to be harmless, or an error."""

from __future__ import annotations

import pytest

from alexnet.errors import WeightsError
from alexnet.importers.caffe import read_description
from alexnet.importers.caffe.fields import _OWN_PARAMETERS, LAYER_FIELDS, PARAMETERS, READ
from alexnet.importers.caffe.layers import SUPPORTED

UPSTREAM = {
    "convolution_param": "num_output bias_term pad kernel_size stride dilation pad_h pad_w "
    "kernel_h kernel_w stride_h stride_w group weight_filler bias_filler engine axis "
    "force_nd_im2col",
    "pooling_param": "pool pad pad_h pad_w kernel_size kernel_h kernel_w stride stride_h stride_w "
    "engine global_pooling round_mode",
    "lrn_param": "local_size alpha beta norm_region k engine",
    "inner_product_param": "num_output bias_term weight_filler bias_filler axis transpose",
    "relu_param": "negative_slope engine",
    "prelu_param": "filler channel_shared",
    "elu_param": "alpha",
    "clip_param": "min max",
    "swish_param": "beta",
    "sigmoid_param": "engine",
    "tanh_param": "engine",
    "dropout_param": "dropout_ratio",
    "batch_norm_param": "use_global_stats moving_average_fraction eps",
    "scale_param": "axis num_axes filler bias_term bias_filler",
    "bias_param": "axis num_axes filler",
    "eltwise_param": "operation coeff stable_prod_grad",
    "concat_param": "axis concat_dim",
    "slice_param": "axis slice_point slice_dim",
    "crop_param": "axis offset",
    "flatten_param": "axis end_axis",
    "reshape_param": "shape axis num_axes",
    "softmax_param": "engine axis",
    "power_param": "power scale shift",
    "exp_param": "base scale shift",
    "log_param": "base scale shift",
    "threshold_param": "threshold",
    "spp_param": "pyramid_height pool engine",
    "transform_param": "scale mirror crop_size mean_file mean_value force_color force_gray",
}
"""caffe.proto of 2020 (BVLC), message by message, for the layers that are imported."""

OF_A_LAYER = (
    "name type bottom top phase loss_weight param blobs propagate_down include exclude "
    "transform_param loss_param accuracy_param argmax_param batch_norm_param bias_param clip_param "
    "concat_param contrastive_loss_param convolution_param crop_param data_param dropout_param "
    "dummy_data_param eltwise_param elu_param embed_param exp_param flatten_param hdf5_data_param "
    "hdf5_output_param hinge_loss_param image_data_param infogain_loss_param inner_product_param "
    "input_param log_param lrn_param memory_data_param mvn_param parameter_param pooling_param "
    "power_param prelu_param python_param recurrent_param reduction_param relu_param reshape_param "
    "scale_param sigmoid_param softmax_param spp_param slice_param swish_param tanh_param "
    "threshold_param tile_param window_data_param blobs_lr weight_decay blob_share_mode"
)


def test_every_field_of_caffe_is_in_the_table():
    for group, fields in UPSTREAM.items():
        assert not set(fields.split()) - PARAMETERS[group].keys(), group
    assert not set(OF_A_LAYER.split()) - LAYER_FIELDS.keys()
    assert _OWN_PARAMETERS.keys() == SUPPORTED.keys()
    assert {group for group in _OWN_PARAMETERS.values() if group} <= PARAMETERS.keys()
    for table in (LAYER_FIELDS, *PARAMETERS.values()):
        assert all(said == READ or len(said.split()) > 2 for said in table.values())


@pytest.fixture
def read(tmp_path):
    def read(text: str):
        (tmp_path / "net.prototxt").write_text(text)
        return read_description(tmp_path / "net.prototxt")[0]

    return read


DATA = 'input: "data" input_dim: [1, 3, 12, 12]\n'
FC = """layer { name: "fc" type: "InnerProduct" bottom: "x" top: "fc"
  inner_product_param { num_output: 2 } }"""


def net(kind: str, more: str) -> str:
    return DATA + f'layer {{ name: "l" type: "{kind}" bottom: "data" top: "x"\n  {more} }}\n' + FC


NEEDED = {
    "Convolution": "num_output: 2 kernel_size: 3",
    "ConvolutionDepthwise": "num_output: 3 kernel_size: 3",
    "DepthwiseConvolution": "num_output: 3 kernel_size: 3",
    "Pooling": "kernel_size: 2",
    "InnerProduct": "num_output: 2",
    "Clip": "min: 0 max: 1",
    "SPP": "pyramid_height: 2",
    "Reshape": "shape { dim: 0 dim: -1 }",
}
SEVERAL = ("Axpy", "Crop")
WITHOUT = [kind for kind, group in _OWN_PARAMETERS.items() if group is None]


@pytest.mark.parametrize("kind", [kind for kind in SUPPORTED if kind not in (*SEVERAL, *WITHOUT)])
def test_an_unknown_parameter_of_each_type_is_named(kind, read):
    group, needed = _OWN_PARAMETERS[kind], NEEDED.get(kind, "")
    read(net(kind, f"{group} {{ {needed} }}"))
    with pytest.raises(WeightsError) as caught:
        read(net(kind, f"{group} {{ {needed} strange: 1 }}"))
    assert f'line 3: the layer "l" ({kind}) has the field "{group}.strange"' in str(caught.value)


@pytest.mark.parametrize("kind", [kind for kind in SUPPORTED if kind not in SEVERAL])
def test_an_unknown_field_beside_the_parameters_is_named(kind, read):
    group = _OWN_PARAMETERS[kind]
    more = f"{group} {{ {NEEDED.get(kind, '')} }}" if group else ""
    with pytest.raises(WeightsError, match=f'the layer "l" .{kind}. has the field "strange_param"'):
        read(net(kind, f"{more} strange_param {{ a: 1 }}"))


FORKS = {
    "relu6": ("ReLU", "relu_param { relu6: true }"),
    "pad_l": ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 pad_l: 1 }"),
    "pad_b": ("Pooling", "pooling_param { kernel_size: 3 pad_b: 1 }"),
    "pad_type": ("Pooling", "pooling_param { kernel_size: 3 pad_type: 1 }"),
    "maximum": ("ReLU", "relu_param { maximum: 3 }"),
    "bn_mode": ("BatchNorm", "batch_norm_param { bn_mode: 1 }"),
    "spatial": ("BatchNorm", "batch_norm_param { spatial: false }"),
    "axis": ("Eltwise", "eltwise_param { axis: 1 }"),
    "kernel_d": ("Pooling", "pooling_param { kernel_size: 3 kernel_d: 1 }"),
}


@pytest.mark.parametrize("name", FORKS)
def test_what_forks_made_of_a_layer_is_refused(name, read):
    with pytest.raises(WeightsError, match=f"_param.{name}\", which is none of Caffe's"):
        read(net(*FORKS[name]))


def test_what_cannot_matter_is_let_through(read):
    read(
        "force_backward: true debug_info: true default_forward_type: FLOAT16\n"
        + net(
            "Convolution",
            """convolution_param { num_output: 2 kernel_size: 3 engine: CUDNN
               weight_filler { type: "msra" anything: 1 } bias_filler { value: 1 } }
            param { lr_mult: 1 decay_mult: 1 name: "shared" } param { lr_mult: 2 }
            propagate_down: true loss_weight: 1 relu_param { negative_slope: 0.5 }
            include { phase: TEST } forward_type: FLOAT""",
        )
    )


def test_layers_of_losses_may_say_what_they_like(read):
    loss = 'layer { name: "o" type: "MyLoss" bottom: "fc" loss_param { odd: 1 } odd: 3 }'
    read(net("ReLU", "") + loss)


def test_a_layer_that_trains_by_itself_is_refused(read):
    with pytest.raises(WeightsError, match='layer "l" .Dropout. has the phase TRAIN by itself'):
        read(net("Dropout", "phase: TRAIN"))


def test_a_field_of_the_network_is_named(read):
    with pytest.raises(WeightsError, match='the network has the field "quantize"'):
        read("quantize: true\n" + net("ReLU", ""))


V1 = """input: "data" input_dim: [1, 3, 12, 12]
layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" blobs_lr: 1 weight_decay: 0
  convolution_param { num_output: 2 kernel_size: 3 %s } %s }"""
V0 = """input: "data" input_dim: [1, 3, 12, 12]
layers { layer { name: "c" type: "%s" num_output: 2 kernelsize: 3 weight_filler { type: "x" }
  blobs_lr: 1 %s } bottom: "data" top: "c" %s }"""
END = """ layers { name: "f" type: INNER_PRODUCT bottom: "c" top: "f"
  inner_product_param { num_output: 2 } }"""
OLD_END = """ layers { layer { name: "f" type: "innerproduct" num_output: 2 }
  bottom: "c" top: "f" }"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (V1 % ("", "") + END, None),
        (V1 % ("pad_l: 1", "") + END, '"c" .Convolution. has the field "convolution_param.pad_l"'),
        (V1 % ("", "odd: 1") + END, 'layer "c" .Convolution. has the field "odd"'),
        (V0 % ("conv", "", "") + OLD_END, None),
        (V0 % ("conv", "pad_l: 1", "") + OLD_END, 'layer "c" .Convolution. has the field "pad_l"'),
        (V0 % ("conv", "", "odd: 1") + OLD_END, 'layer "c" .Convolution. has the field "odd"'),
        (V0 % ("conv", "alpha: 1", "") + OLD_END, 'has the field "alpha"'),
        (V0 % ("relu", "", "") + OLD_END, 'layer "c" .ReLU. has the field "num_output"'),
    ],
)
def test_older_forms_are_held_to_the_same(text, said, read):
    if said is None:
        read(text)
        return
    with pytest.raises(WeightsError, match=said):
        read(text)


def test_what_is_done_to_images_is_held_to_the_same(read):
    data = 'layer { name: "d" type: "Data" top: "data" transform_param { crop_size: 12 %s } }\n'
    rest = net("ReLU", "").removeprefix(DATA)
    read(data % "mirror: true scale: 0.5" + rest)
    with pytest.raises(WeightsError, match='layer "d" .Data. has the field "transform_param.std"'):
        read(data % "std: 58" + rest)
