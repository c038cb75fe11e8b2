"""The paper's network in Keras 3, to be compared with: on TensorFlow or on JAX, numbers ready.

Float32, two groups, the paper's normalization (`tf.nn.lrn`; on JAX the same sum by a window that
slides over the channels), overlapping pooling, dropout, momentum; compiled by XLA where that is the
faster way. No images are read: a batch lies ready, so it is to be held against contenders whose
numbers are ready too.

    KERAS_BACKEND=jax python benchmarks/peers/keras_net.py --batch-size 128

Needs keras with tensorflow or jax, and nothing of this repository but `turns.py`.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import layers, ops

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from turns import serve

PARAMETERS = 60_965_224  # of the paper's network for 1,000 classes


class ResponseNorm(layers.Layer):
    """Division by (2 + 1e-4 * sum of squares over 5 maps) ** 0.75, channels last."""

    def call(self, x):
        """Return the shape of `x`."""
        if keras.backend.backend() == "tensorflow":
            import tensorflow

            return tensorflow.nn.lrn(x, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75)
        squares = ops.pad(ops.square(x), ((0, 0), (0, 0), (0, 0), (2, 2)))
        maps = x.shape[-1]
        total = sum(squares[..., shift : shift + maps] for shift in range(5))
        return x * ops.power(2.0 + 1e-4 * total, -0.75)


def alexnet(classes: int) -> keras.Model:
    """Return the network; the first convolution is padded so that it has 55 positions."""
    relu = {"activation": "relu"}
    return keras.Sequential(
        [
            keras.Input((224, 224, 3)),
            layers.ZeroPadding2D(((1, 2), (1, 2))),
            layers.Conv2D(96, 11, strides=4, **relu),
            ResponseNorm(),
            layers.MaxPooling2D(3, 2),
            layers.Conv2D(256, 5, padding="same", groups=2, **relu),
            ResponseNorm(),
            layers.MaxPooling2D(3, 2),
            layers.Conv2D(384, 3, padding="same", **relu),
            layers.Conv2D(384, 3, padding="same", groups=2, **relu),
            layers.Conv2D(256, 3, padding="same", groups=2, **relu),
            layers.MaxPooling2D(3, 2),
            layers.Flatten(),
            layers.Dense(4096, **relu),
            layers.Dropout(0.5),
            layers.Dense(4096, **relu),
            layers.Dropout(0.5),
            layers.Dense(classes),
        ]
    )


def main() -> None:
    """Serve steps, after a look at whether the network is the paper's and learns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-xla", action="store_true")
    asked = parser.parse_args()
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(asked.threads)
    network = alexnet(asked.classes)
    parameters = PARAMETERS - (1000 - asked.classes) * 4097
    assert network.count_params() == parameters, network.count_params()
    network.compile(
        optimizer=keras.optimizers.SGD(0.01, momentum=0.9, weight_decay=5e-4),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=not asked.no_xla,
    )
    draw = np.random.default_rng(0)
    images = draw.normal(0, 60, (asked.batch_size, 224, 224, 3)).astype(np.float32) / 60
    labels = np.arange(asked.batch_size) % min(asked.classes, 10)
    losses = [float(network.train_on_batch(images, labels)) for _ in range(3)]

    def step() -> int:
        network.train_on_batch(images, labels)
        return asked.batch_size

    compiled = "without XLA" if asked.no_xla else "by XLA"
    note = f"fp32, {keras.backend.backend()}, Keras {keras.__version__}, {compiled}, numbers ready"
    serve(step, note=f"{note}; loss {losses[0]:.2f} to {losses[-1]:.2f}")


if __name__ == "__main__":
    main()
