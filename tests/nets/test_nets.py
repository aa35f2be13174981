import keras
import numpy as np
import pytest

from keras_gen import nets
from tests.conftest import host
from tests.conftest import tensor

SHAPES = [(28, 28, 1), (32, 16, 3), (8, 8, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_shapes_and_ranges(kind, shape):
    def build(part, *arguments, **options):
        return getattr(nets, f"{kind}_{part}")(shape, *arguments, **options)

    x, z = tensor(np.ones((2, *shape))), tensor(100 * np.ones((2, 5)))
    mean, log_var = build("encoder", 5, outputs=2)(x)
    assert mean.shape == log_var.shape == (2, 5)
    assert build("encoder", 5)(x).shape == (2, 5)
    decoded = host(build("decoder", 5)(z))
    assert decoded.shape == (2, *shape)
    assert np.abs(decoded).max() > 1  # linear
    generated = host(build("generator", 5)(z))
    assert generated.shape == (2, *shape)
    assert np.abs(generated).max() <= 1  # tanh
    assert build("discriminator")(x).shape == (2, 1)


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_discriminators_do_not_mix_samples(kind):
    """Gradient penalties take a gradient per sample."""
    model = getattr(nets, f"{kind}_discriminator")((8, 8, 1))
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 1))
    whole = host(model(tensor(x), training=True))
    one = host(model(tensor(x[:1]), training=True))
    np.testing.assert_allclose(whole[:1], one, atol=1e-5)
    assert not any(
        isinstance(layer, keras.layers.BatchNormalization)
        for layer in model.layers
    )


@pytest.mark.parametrize(
    "shape, grids, channels",
    [
        ((64, 64, 3), [4, 8, 16, 32], [64, 32, 16, 8]),
        ((32, 32, 3), [4, 8, 16], [64, 32, 16]),
        ((28, 28, 1), [7, 14], [64, 32]),
    ],
)
def test_dcgan(shape, grids, channels):
    generator = nets.dcgan_generator(shape, 5, filters=64)
    found = [
        tuple(layer.output.shape[1:])
        for layer in generator.layers
        if isinstance(layer, keras.layers.ReLU)
    ]
    assert found == [(g, g, c) for g, c in zip(grids, channels, strict=True)]
    images = host(generator(tensor(100 * np.ones((2, 5)))))
    assert images.shape == (2, *shape) and np.abs(images).max() <= 1
    kinds = [type(layer).__name__ for layer in generator.layers]
    assert kinds == [
        *("InputLayer", "Dense", "Reshape"),
        *["BatchNormalization", "ReLU", "Conv2DTranspose"] * len(grids),
    ]
    discriminator = nets.dcgan_discriminator(shape, filters=64)
    for layer in (*generator.layers, *discriminator.layers):
        assert getattr(layer, "kernel_size", (5, 5)) == (5, 5)
        assert getattr(layer, "negative_slope", 0.2) in (0.0, 0.2)
        if hasattr(layer, "kernel_initializer"):
            kernel = layer.kernel_initializer.get_config()
            assert (kernel["mean"], kernel["stddev"]) == (0.0, 0.02)
    found = [
        tuple(layer.output.shape[1:])
        for layer in discriminator.layers
        if isinstance(layer, keras.layers.LeakyReLU)
    ]
    expected = list(zip(grids[::-1], channels[::-1], strict=True))
    assert found == [(g, g, c) for g, c in expected]
    norms = [
        layer
        for layer in discriminator.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(norms) == len(grids) - 1  # none at the input


def test_residual_blocks_start_as_the_identity():
    """And so the discriminator is linear but for its last block's nothing."""
    model = nets.residual_discriminator((8, 8, 1), filters=(4,))
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 8, 8, 1)).astype("float32")
    f = [host(model(tensor(x))) for x in (a, b, a + b)]
    np.testing.assert_allclose(f[0] + f[1], f[2], rtol=1e-4, atol=1e-5)
    generator = nets.residual_generator((8, 8, 1), 3, filters=(4,))
    images = host(generator(tensor(100 * np.ones((2, 3)))))
    assert images.shape == (2, 8, 8, 1) and np.abs(images).max() <= 1


@pytest.mark.parametrize("head", ["concat", "projection", "classifier"])
def test_conditional_networks(head):
    z, y = tensor(np.ones((3, 5))), tensor(np.eye(3))
    generator = nets.conditional_generator((8, 8, 1), 5, 3)
    images = generator([z, y])
    assert images.shape == (3, 8, 8, 1)
    assert not np.allclose(host(images)[0], host(images)[1])
    model = nets.conditional_discriminator((8, 8, 1), 3, head)
    if head == "classifier":
        logit, classes = model(images)
        assert logit.shape == (3, 1) and classes.shape == (3, 3)
        return
    same = [images[:1]] * 3
    logits = host(model([keras.ops.concatenate(same), y]))
    assert logits.shape == (3, 1) and len(np.unique(logits)) == 3


def test_the_projection_is_an_inner_product():
    """D(x, y) = psi(h) + <e_y, V h + v>, of the weights that it has."""
    model = nets.conditional_discriminator((8, 8, 1), 3, filters=(4,))
    rng = np.random.default_rng(0)
    for w in model.weights:  # biases start at zero
        w.assign(rng.normal(size=w.shape))
    x, y = rng.uniform(-1, 1, (6, 8, 8, 1)), np.eye(3)[[0, 1, 2, 0, 1, 2]]
    (flat,) = (m for m in model.layers if isinstance(m, keras.layers.Flatten))
    h = host(keras.Model(model.inputs[0], flat.output)(tensor(x)))
    dense = [m for m in model.layers if isinstance(m, keras.layers.Dense)]
    assert len(dense) == 3
    psi, inner, embedding = (
        [host(w) for w in m.weights]
        for m in sorted(dense, key=lambda m: (m.units, not m.use_bias))
    )
    expected = h @ psi[0] + psi[1]
    product = (h @ inner[0] + inner[1]) * embedding[0][y.argmax(axis=1)]
    expected += product.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        host(model([tensor(x), tensor(y)])), expected, rtol=1e-4
    )


def test_bad_arguments():
    for shape in ((7, 7, 1), (4, 4, 3)):
        with pytest.raises(ValueError, match="DCGAN halves its images"):
            nets.dcgan_generator(shape)
    with pytest.raises(ValueError, match="`head` must be"):
        nets.conditional_discriminator((8, 8, 1), 3, "tail")


@pytest.mark.parametrize(
    "make",
    [
        lambda shape, **options: nets.unet(shape, (8, 16), 1, (14,), **options),
        lambda shape, **options: nets.dit(shape, 4, 16, 2, 1, **options),
    ],
)
@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 64, 3)])
def test_denoising_networks(make, shape):
    """They start at zero, and then hear of image, level and label."""
    network = make(shape, num_classes=3)
    rng = np.random.default_rng(0)
    inputs = [
        rng.normal(size=(2, *shape)),
        np.array([[-1.0], [2.0]]),
        np.eye(3)[[0, 2]],
    ]
    # `predict_on_batch` compiles once: JAX takes long over single operations.
    images = network.predict_on_batch(inputs)
    assert np.array_equal(images, np.zeros((2, *shape)))
    for v in network.trainable_variables:
        v.assign(v + 0.05 * rng.normal(size=v.shape))
    before = network.predict_on_batch(inputs)
    for i, other in enumerate(
        [inputs[0][::-1], [[-1.1], [2.1]], np.zeros((2, 3))]
    ):
        changed = [*inputs[:i], np.asarray(other), *inputs[i + 1 :]]
        after = network.predict_on_batch(changed)
        assert (np.abs(after - before).max(axis=(1, 2, 3)) > 1e-4).all(), i
    if shape[0] == 64:
        return
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:  # a loss is computed on what they return
        assert make(shape).outputs[0].dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")
    wider = make(shape, in_channels=5, out_channels=2)
    assert wider.inputs[0].shape[-1] == 5 and wider.outputs[0].shape[-1] == 2


def test_the_unet_normalises_any_number_of_channels():
    network = nets.unet((8, 8, 1), (5, 12), 1, (4,))
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1))
    images = network.predict_on_batch([x, np.zeros((2, 1))])
    assert images.shape == (2, 8, 8, 1)


def test_the_unet_attends_where_it_is_told():
    def grids(network):
        return [
            layer.output.shape[1]
            for layer in network.layers
            if isinstance(layer, keras.layers.MultiHeadAttention)
        ]

    assert grids(nets.unet((16, 16, 1), (4, 4), 1, attention=())) == []
    # One block on the way down, one in the middle, two on the way up.
    assert grids(nets.unet((16, 16, 1), (4, 4), 1, attention=(8,))) == [64] * 4


@pytest.mark.parametrize("build", [nets.conv_decoder, nets.dense_decoder])
def test_decoders_hear_of_the_label_everywhere(build):
    network = build((8, 8, 1), latent_dim=2, num_classes=2)
    rng = np.random.default_rng(0)
    network.set_weights(
        [w + 0.1 * rng.normal(size=w.shape) for w in network.get_weights()]
    )
    a, b = network.predict([np.ones((2, 2)), np.eye(2)], verbose=0)
    assert (a != b).mean() > 0.9
