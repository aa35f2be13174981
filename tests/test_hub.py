from concurrent.futures import ThreadPoolExecutor

import h5py
import keras
import numpy as np
import pytest
from keras import ops

import keras_gen as kg
from keras_gen import files
from keras_gen.training.preset_files import WEIGHTS
from keras_gen.training.preset_files import layout
from tests.cases import CASES
from tests.checks import generate
from tests.presets import refused


def test_no_optimizer_is_written(tmp_path, digits):
    model = CASES["gan"]()
    model.fit(digits, verbose=0)
    model.save_to_preset(tmp_path / "gan")
    with h5py.File(tmp_path / "gan" / "model.weights.h5") as file:
        assert "optimizer" not in file


def test_saving_again_replaces(preset):
    before = kg.from_preset(preset).generate(1, seed=0)
    CASES["vae"]().save_to_preset(preset)
    assert (kg.from_preset(preset).generate(1, seed=0) != before).any()
    assert len(list(preset.parent.iterdir())) == 1


def test_a_name_of_the_package_is_not_hidden(tmp_path, monkeypatch):
    """`from_preset` would read the other one."""
    monkeypatch.chdir(tmp_path)
    model = CASES["vae"]()
    with pytest.raises(ValueError, match="Choose another name, or './vae_mnis"):
        model.save_to_preset("vae_mnist")
    model.save_to_preset("./vae_mnist")
    assert kg.from_preset("./vae_mnist").data_shape == model.data_shape


def test_missing_folder():
    with pytest.raises(ValueError, match="There is no preset in 'nowhere'"):
        kg.from_preset("nowhere")


def test_other_files_in_the_folder_stay(preset, tmp_path):
    model = CASES["vae"]()
    (preset / "train.py").write_text("epochs = 7")
    (preset / "runs").mkdir()
    log = open(preset / "train.log", "w")
    model.save_to_preset(preset)
    assert (preset / "train.py").read_text() == "epochs = 7"
    print("nll 88.2", file=log, flush=True)  # the file is still the same
    log.close()
    assert (preset / "train.log").read_text() == "nll 88.2\n"
    assert (preset / "runs").is_dir()
    np.testing.assert_array_equal(
        kg.from_preset(preset).generate(1, seed=0), model.generate(1, seed=0)
    )
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "train.py").write_text("epochs = 8")
    model.save_to_preset(tmp_path / "new")
    assert (tmp_path / "new" / "train.py").read_text() == "epochs = 8"
    kg.from_preset(tmp_path / "new")


def test_weights_and_configuration_of_two_saves(preset):
    """As after a crash between the two files: shapes fit, values do not."""
    before = (preset / "config.json").read_bytes()
    CASES["vae"]().save_to_preset(preset)
    (preset / "config.json").write_bytes(before)
    refused(preset, "damaged")


def test_what_is_no_preset_is_not_replaced(preset, tmp_path):
    model = CASES["vae"]()
    (tmp_path / "note").write_text("")
    for name, text in (("tool", '{"theme": "dark"}'), ("broken", "{")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(text)
        (tmp_path / name / "model.weights.h5").write_text("")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_text("{}")
    (tmp_path / "weights").mkdir()
    model.save_weights(tmp_path / "weights" / "model.weights.h5")
    for name in ("note", "tool", "broken", "half", "weights"):
        with pytest.raises(ValueError, match="exists and is not a preset"):
            model.save_to_preset(tmp_path / name)
    assert "dark" in (tmp_path / "tool" / "config.json").read_text()


def test_texts_and_pictures_are_whole_or_not_there(tmp_path, monkeypatch):
    files.write_text(tmp_path / "a.txt", "before")

    def fail(*_):
        raise OSError("no")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no"):
        files.write_text(tmp_path / "a.txt", "after")
    with pytest.raises(OSError, match="no"):
        kg.pictures.save_grid(tmp_path / "a.png", np.zeros((1, 8, 8, 1)))
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "before"


def test_a_failed_replacement_keeps_the_old_preset(preset, monkeypatch):
    import os

    before = kg.from_preset(preset).generate(1, seed=0)
    replace, calls = os.replace, []

    def fail_second(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError("no")
        replace(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", fail_second)
        with pytest.raises(OSError, match="no"):
            CASES["vae"]().save_to_preset(preset)
    assert (kg.from_preset(preset).generate(1, seed=0) == before).all()
    assert [p.name for p in preset.parent.iterdir()] == ["vae"]


def test_a_network_that_could_not_be_read_back_is_not_written(tmp_path):
    class Mine(keras.layers.Layer):
        def call(self, x):
            return x

    decoder = kg.nets.dense_decoder((8, 8, 1), 2, units=(4,))
    own = keras.Sequential([keras.Input((2,)), Mine(), decoder])
    model = kg.models.VAE(
        kg.nets.dense_encoder((8, 8, 1), 2, outputs=2, units=(4,)), own
    )
    with pytest.raises(ValueError, match="classes of Keras and keras_gen"):
        model.save_to_preset(tmp_path / "own")
    assert not (tmp_path / "own").exists()


# Names, overrides, averages.


def test_built_in_presets_have_names():
    cards = kg.list_presets()
    assert "vae_mnist" in cards
    assert kg.models.VAE.presets.keys() == {
        name for name, card in cards.items() if card["class"] == "VAE"
    }
    model = kg.models.VAE.from_preset("vae_mnist")
    assert type(model) is kg.models.VAE
    with pytest.raises(ValueError, match="holds a VAE, which is no GAN"):
        kg.models.GAN.from_preset("vae_mnist")
    with pytest.raises(ValueError, match="Did you mean 'vae_mnist'"):
        kg.from_preset("vea_mnist")


def test_the_averaged_weights_are_written(tmp_path, digits):
    model = CASES["conditional_vae"]()
    model.fit(digits, verbose=0)
    model.save_to_preset(tmp_path / "vae")
    loaded = kg.from_preset(tmp_path / "vae")
    assert loaded.ema_decay == model.ema_decay == 0.9
    expected = model.generate(3, labels=1, seed=0)
    assert (model.generate(3, 1, seed=0, use_ema=False) != expected).any()
    for use_ema in (None, False, True):
        np.testing.assert_array_equal(
            loaded.generate(3, labels=1, seed=0, use_ema=use_ema), expected
        )


def test_arguments_can_be_replaced(preset):
    model = kg.from_preset(preset)
    other = kg.from_preset(preset, ema_decay=0.5, beta=4.0)
    assert (other.ema_decay, other.beta) == (0.5, 4.0)
    expected = model.generate(3, seed=0)
    for use_ema in (True, False):
        np.testing.assert_array_equal(
            other.generate(3, seed=0, use_ema=use_ema), expected
        )
    decoder = kg.nets.dense_decoder((8, 8, 1), model.noise_shape[0], (5,))
    for load_weights in (True, False):
        other = kg.from_preset(preset, load_weights, decoder=decoder)
        assert other.decoder is decoder
        x = np.ones((1, 8, 8, 1), "float32")
        same = np.array_equal(other.encode(x), model.encode(x))
        assert same == load_weights
    with pytest.raises(ValueError, match="latent|decoder"):
        wrong = kg.nets.dense_decoder((8, 8, 1), 7, (5,))
        kg.from_preset(preset, decoder=wrong)
    with pytest.raises(ValueError, match=r"has no arguments \['betta'\]"):
        kg.from_preset(preset, betta=2.0)


def test_random_states_are_not_those_of_the_file(preset):
    keras.utils.set_random_seed(3)
    states = [
        kg.from_preset(preset).seed_generator.state.numpy() for _ in range(2)
    ]
    assert not np.array_equal(*states)
    CASES["vae"]().save_to_preset(preset)
    with h5py.File(preset / "model.weights.h5") as file:
        assert not np.any(file["vars/seed_0"])


def test_only_our_models_are_written(tmp_path):
    class Mine(kg.models.VAE):
        pass

    model = CASES["vae"]()
    with pytest.raises(ValueError, match="Unknown model class 'Mine'"):
        Mine(model.encoder, model.decoder).save_to_preset(tmp_path / "mine")
    with pytest.raises(TypeError, match="JSON"):
        model.save_to_preset(tmp_path / "card", {"nll": np.float32(1)})
    assert not list(tmp_path.iterdir())


def test_threads_load_beside_each_other(preset):
    add_weight = keras.layers.Layer.add_weight
    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(kg.from_preset, [preset] * 8))
    assert keras.layers.Layer.add_weight is add_weight
    for model in models[1:]:
        np.testing.assert_array_equal(
            model.generate(1, seed=0), models[0].generate(1, seed=0)
        )


def test_what_is_no_name():
    for preset in (None, 5, b"x", ""):
        with pytest.raises(ValueError, match="`preset` must be a name"):
            kg.from_preset(preset)


def test_without_weights_the_architecture_is_new(preset):
    a, b = (kg.from_preset(preset, load_weights=False) for _ in range(2))
    assert (a.generate(1, seed=0) != b.generate(1, seed=0)).any()


def test_a_number_that_takes_no_memory_may_be_large(tmp_path):
    vae = CASES["vae"]()
    model = kg.models.BetaTCVAE(vae.encoder, vae.decoder, dataset_size=10**9)
    model.save_to_preset(tmp_path / "beta")
    assert kg.from_preset(tmp_path / "beta").dataset_size == 10**9


def test_labelled_samples_are_not_written(tmp_path):
    """They are somebody's pictures, and no use to whom they are given."""
    model = CASES["semi_supervised_gan"]()
    assert np.asarray(ops.convert_to_numpy(model.labelled_x)).any()
    model.save_to_preset(tmp_path / "model")
    other = kg.from_preset(tmp_path / "model")
    assert not ops.convert_to_numpy(other.labelled_x).any()
    with pytest.raises(ValueError, match="needs labelled samples"):
        other.train_on_batch(np.zeros((4, *other.data_shape), "float32"))


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    model = CASES["vae"]()
    weight = model.decoder.weights[0]
    weight.assign(np.full(weight.shape, np.nan))
    with pytest.raises(ValueError, match="is not finite"):
        model.save_to_preset(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_half_precision(tmp_path):
    """Float32 weights again, trained matrices rounded to eleven bits.

    Not the statistics: codes are to stay the ratio of two averages.
    """
    model = CASES["vqvae"]()
    model.save_to_preset(tmp_path / "half", half_precision=True)
    kinds = [kind for _, kind in layout(tmp_path / "half" / WEIGHTS).values()]
    model.prior.trainable = True
    trained = {id(w) for w in model.trainable_weights if len(w.shape) > 1}
    assert len(trained) <= kinds.count("float16") < kinds.count("float32")
    assert len(trained) > 15  # the prior's, which is frozen, among them
    loaded = kg.from_preset(tmp_path / "half")
    assert loaded.fingerprint == model.fingerprint
    for weight, own in zip(model.weights, loaded.weights, strict=True):
        value = ops.convert_to_numpy(weight)
        assert str(own.dtype) == str(weight.dtype)
        if id(weight) in trained:
            value = value.astype("float16")
        np.testing.assert_array_equal(ops.convert_to_numpy(own), value)


def test_weights_too_large_for_half_precision(tmp_path):
    model = CASES["vae"]()
    weight = model.decoder.weights[0]
    weight.assign(np.full(weight.shape, 65_520.0))
    model.save_to_preset(tmp_path / "single")
    with pytest.raises(ValueError, match="is not finite"):
        model.save_to_preset(tmp_path / "half", half_precision=True)
    assert not (tmp_path / "half").exists()


@pytest.mark.parametrize(
    "name", ["autoencoder", "cogan", "vamp_vae", "vae", "vqvae_residual"]
)
def test_another_argument_and_all_weights(name, tmp_path):
    """Statistics, learned priors and shared parts as well."""
    model = CASES[name]()
    for weight in model.weights:
        if weight.dtype == "float32":
            weight.assign(weight + 0.1)
    model.save_to_preset(tmp_path / "model")
    argument = {"ema_decay": 0.5}
    if name == "vqvae_residual":
        argument = {"likelihood": kg.losses.Gaussian("learned")}
    plain, other = (
        kg.from_preset(tmp_path / "model", **options)
        for options in ({}, argument)
    )
    for key, value in argument.items():
        if key == "ema_decay":
            assert other.get_config()[key] == value
    samples = [generate(m, 3, seed=0) for m in (plain, other)]
    np.testing.assert_array_equal(*samples)


def test_a_network_that_is_given_keeps_its_weights(tmp_path):
    CASES["cogan"]().save_to_preset(tmp_path / "model")
    trunk = CASES["cogan"]().generator_trunk
    before = [ops.convert_to_numpy(w).copy() for w in trunk.weights]
    plain = kg.from_preset(tmp_path / "model")
    other = kg.from_preset(tmp_path / "model", generator_trunk=trunk)
    for old, weight in zip(before, trunk.weights, strict=True):
        np.testing.assert_array_equal(old, ops.convert_to_numpy(weight))
    for head, same in zip(
        other.generator_heads, plain.generator_heads, strict=True
    ):
        for a, b in zip(head.weights, same.weights, strict=True):
            np.testing.assert_array_equal(
                ops.convert_to_numpy(a), ops.convert_to_numpy(b)
            )


def test_saving_to_a_link(preset, tmp_path):
    """What it leads to is replaced, and nothing is left behind."""
    (tmp_path / "latest").symlink_to(preset)
    CASES["gan"]().save_to_preset(tmp_path / "latest")
    assert (tmp_path / "latest").is_symlink()
    assert isinstance(kg.from_preset(preset), kg.models.GAN)
    assert not list(tmp_path.glob(".tmp-*"))
