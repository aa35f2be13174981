"""The base of every model: one training step, written once."""

import copy
import warnings

import keras
import numpy as np
from keras import ops

from keras_gen import checks
from keras_gen.training import backend
from keras_gen.training.average import AveragedNetworks
from keras_gen.training.inputs import check_first_batch
from keras_gen.training.inputs import unpack
from keras_gen.training.noise import sample_noise
from keras_gen.training.optimizers import OptimizerGroup
from keras_gen.training.optimizers import make_optimizer
from keras_gen.training.preset_names import built_in
from keras_gen.training.preset_names import find
from keras_gen.training.preset_names import read_card
from keras_gen.training.presets import load_preset
from keras_gen.training.presets import save_to_preset


class _ClassProperty:
    """A property that is read from the class: `VAE.presets`."""

    def __init__(self, function):
        self.function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance, cls):
        return self.function(cls)


class GenerativeModel(keras.Model):
    """Train a generative model with `fit` on every backend.

    A subclass takes its networks, sets `data_shape` and `noise_shape`, writes

    - `objective(x, y, training)`: the dict of scalars to log of a batch, of
      which `"loss"` is minimised; or in its place, with several players,
      `training_step(x, y)`, which networks move down which loss, in which
      order, through `self.minimize`, and `evaluation_step(x, y)`, the same
      scalars, nothing moves;
    - `from_noise(noise, labels)`: starting noise to samples, for `generate`.

    Everything else is here: the step that Keras compiles, optimizers, epoch
    averages of the logs, averaged weights, random state that is saved.

    Args:
        logs: Tuple, the keys that both steps return. A string stands for the
            mean over the epoch; a `keras.metrics.Metric`, for another way to
            fold what is returned under its name.
        **kwargs: `name` and `dtype`, as for `keras.Model`.

    Attributes:
        networks: Tuple of strings, the attributes that hold separately
            optimised networks; empty when one optimizer moves everything.
        data_shape: Tuple, the shape of one sample. Samples of rank 3 are
            images, channels last, in [-1, 1].
        noise_shape: Tuple, the shape of the noise one sample starts from.
        num_classes: Integer if `generate` takes labels, otherwise None.
        data_dtype: String, `"float32"`, or `"int32"` for grids of codes, of
            which the model then knows `num_codes`.
    """

    networks = ()
    data_shape = None
    noise_shape = None
    num_classes = None
    data_dtype = "float32"

    def __init__(self, logs, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator()
        # Created here because Keras locks the state of a model once built.
        self.log_means = {
            log if isinstance(log, str) else log.name: keras.metrics.Mean(log)
            if isinstance(log, str)
            else log
            for log in logs
        }
        self.averaged = self.ema_decay = None
        # Networks arrive built, so the model has nothing left to build.
        self.built = True

    def objective(self, x, y, training):
        """Return the loss of a batch, and its terms, as a dict of scalars."""
        raise NotImplementedError

    def training_step(self, x, y=None):
        """Move the networks on one batch and return a dict of scalars."""
        return self.minimize(lambda: self.objective(x, y, training=True))

    def evaluation_step(self, x, y=None):
        """Return the scalars of `training_step` without moving anything."""
        return self.objective(x, y, training=False)

    def from_noise(self, noise, labels=None, batch_size=None, use_ema=None):
        """Turn starting noise `(n, *noise_shape)` into n samples."""
        raise NotImplementedError

    # Optimisation.

    def compile(
        self,
        optimizer="adam",
        *,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        auto_scale_loss=True,
        **kwargs,
    ):
        """Set the optimizer or optimizers.

        Args:
            optimizer: `keras.optimizers.Optimizer` or its name; for a model
                with several networks also a dict of these by network name.
                One optimizer for several networks means a copy for each.
            run_eagerly: Bool, whether to run the step uncompiled.
            steps_per_execution: Integer, batches per compiled call.
            jit_compile: Bool or `"auto"`, see `keras.Model.compile`.
            auto_scale_loss: Bool, whether to wrap each optimizer in a
                `LossScaleOptimizer` under the `mixed_float16` policy.
            **kwargs: None are accepted; they are named in the error.

        Raises:
            ValueError: If networks are missing or unknown in `optimizer`, or
                if `loss` or `metrics` are passed: the model defines its own.
        """
        if kwargs:
            raise ValueError(
                f"`{type(self).__name__}` defines its own losses and logs; "
                "`compile` takes no other arguments than `optimizer`, "
                "`run_eagerly`, `steps_per_execution`, `jit_compile` and "
                f"`auto_scale_loss`. Received: {sorted(kwargs)}"
            )
        if jit_compile is True and keras.backend.backend() == "torch":
            warnings.warn(
                "On torch the step runs eagerly: `torch.compile` cannot "
                "differentiate a gradient penalty. Ignoring jit_compile=True.",
                stacklevel=2,
            )
            jit_compile = False
        optimizer = make_optimizer(optimizer, self.networks)
        if auto_scale_loss and self.dtype_policy.name == "mixed_float16":
            optimizer = _scale_losses(optimizer)
        # Taken now: schedules change the learning rate that a config shows.
        arguments = {
            "optimizer": keras.saving.serialize_keras_object(optimizer),
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            # Not what "auto" resolves to here: another backend decides anew.
            "jit_compile": jit_compile,
            "auto_scale_loss": auto_scale_loss,
        }
        super().compile(
            optimizer=optimizer,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=False,
        )
        self._compile_arguments = arguments
        # Build at once: state that is loaded into unbuilt optimizers is lost.
        if self.networks:
            optimizer.attach(
                {name: self._variables_of(name) for name in self.networks}
            )
        else:
            optimizer.build(self.trainable_variables)

    def get_compile_config(self):
        return dict(self._compile_arguments) if self.compiled else {}

    def compile_from_config(self, config):
        config = dict(config)
        config["optimizer"] = keras.saving.deserialize_keras_object(
            config["optimizer"]
        )
        self.compile(**config)

    def minimize(self, loss_fn, name=None, norm=False):
        """Move one network down the gradient of one loss.

        Call it from `training_step` only. Whatever `loss_fn` changes besides
        (batch statistics, random state, another network by `minimize`) is kept.

        Args:
            loss_fn: Callable without arguments that returns the loss, a
                scalar, or a dict of scalars whose `"loss"` is minimised.
            name: String, one of `networks`, or None for the whole model when
                it has a single optimizer.
            norm: Bool, whether to add the norm of the gradient to a returned
                dict, as `"gradient_norm"`.

        Returns:
            What `loss_fn` returned, in float32.
        """
        if self.networks:
            if name not in self.networks:
                raise ValueError(
                    f"`name` must be one of {self.networks}. "
                    f"Received: name={name!r}"
                )
            optimizer = self.optimizer[name]
            variables = self._variables_of(name)
        else:
            optimizer, variables = self.optimizer, self.trainable_variables
        scalar = False

        def logs_fn():
            nonlocal scalar
            result = loss_fn()
            scalar = not isinstance(result, dict)
            logs = {"loss": result} if scalar else result
            return {k: ops.cast(v, "float32") for k, v in logs.items()}

        logs = backend.minimize(logs_fn, variables, optimizer, norm)
        return logs["loss"] if scalar else logs

    def _variables_of(self, name):
        return getattr(self, name).trainable_variables

    # Averaged weights.

    def average_weights(self, decay, *names):
        """Keep moving averages of the networks called `names`.

        Args:
            decay: Float in [0, 1), or None to keep none.
            *names: Strings, attributes that hold the networks.
        """
        self.ema_decay = decay
        if decay is not None:
            networks = {name: getattr(self, name) for name in names}
            self.averaged = AveragedNetworks(networks, decay)

    def sampling_network(self, name, use_ema=None):
        """Return the network to sample with: averaged, if there is one.

        Args:
            name: String, the attribute that holds the network.
            use_ema: Bool, or None for "if the model keeps an average".
        """
        if use_ema and self.averaged is None:
            raise ValueError(
                "`use_ema=True` needs a model built with `ema_decay`. "
                f"Received: ema_decay={self.ema_decay}"
            )
        if self.averaged is None or use_ema is False:
            return getattr(self, name)
        return self.averaged.averages[name]

    # The one training step.

    def train_step(self, *args):
        # `args` is `(data,)`, on JAX `(state, data)`.
        return backend.run_step(self, self._train_on, *args)

    def test_step(self, *args):
        return backend.run_step(self, self._evaluate_on, *args)

    def _train_on(self, data):
        x, y = self._unpack(data)
        logs = self.training_step(x, y)
        if self.averaged is not None:
            self.averaged.update(
                {name: getattr(self, name) for name in self.averaged.averages}
            )
        return self._report(logs, x)

    def _evaluate_on(self, data):
        x, y = self._unpack(data)
        return self._report(self.evaluation_step(x, y), x)

    def _unpack(self, data):
        x, y, sample_weight = unpack(data)
        if sample_weight is not None:
            raise ValueError(
                f"`{type(self).__name__}` does not support `sample_weight`."
            )
        kind = "float" if self.data_dtype == "float32" else "int"
        checks.check_batch(x, self.data_shape, type(self).__name__, kind)
        x = ops.cast(ops.convert_to_tensor(x), self.data_dtype)
        return x, None if y is None else ops.convert_to_tensor(y)

    def _report(self, logs, x):
        """Fold `logs` into the epoch averages, weighted by samples."""
        if set(logs) != set(self.log_means):
            raise ValueError(
                f"The steps of `{type(self).__name__}` must return the logs "
                f"{sorted(self.log_means)}. Received: {sorted(logs)}"
            )
        for name, mean in self.log_means.items():
            mean.update_state(
                ops.cast(logs[name], "float32"), sample_weight=ops.shape(x)[0]
            )
        return {name: m.result() for name, m in self.log_means.items()}

    @property
    def metrics(self):
        # Without Keras's own `loss` tracker: epoch logs are averages only if
        # the step returns exactly these.
        return list(self.log_means.values())

    def fit(self, x=None, y=None, *, callbacks=None, **kwargs):
        # Where a `Checkpoint` made an earlier `fit` resume must not linger.
        self._initial_epoch = None
        check_first_batch(self, x, y)
        validation = kwargs.get("validation_data")
        if validation is not None:
            if isinstance(validation, tuple):
                check_first_batch(self, *validation[:2])
            else:
                check_first_batch(self, validation)
                kwargs["validation_data"] = backend.batches(validation)
        if callbacks is None:
            callbacks = []
        elif isinstance(callbacks, keras.callbacks.Callback):
            callbacks = [callbacks]
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = list(callbacks)
            # Their order follows from the epoch's number, for a resumed run,
            # and not from Python's global generator, as Keras would have it.
            own = [d for d in (x, validation) if hasattr(d, "set_epoch")]
            callbacks.append(
                keras.callbacks.LambdaCallback(
                    on_epoch_begin=lambda e, _: [d.set_epoch(e) for d in own]
                )
            )
            if hasattr(x, "set_epoch"):
                kwargs["shuffle"] = False
                if kwargs.get("steps_per_epoch") is not None:
                    raise ValueError(
                        "`steps_per_epoch` would end epochs of "
                        f"`{type(x).__name__}` early, which cannot be resumed. "
                        f"An epoch is {len(x)} batches; pass fewer examples."
                    )
            # First those whose logs others read, last those that save them.
            callbacks.sort(key=lambda c: not hasattr(c, "adds_logs"))
            callbacks.sort(key=lambda c: hasattr(c, "set_callbacks"))
            for callback in callbacks:
                if hasattr(callback, "set_callbacks"):
                    callback.set_callbacks(callbacks)
        return super().fit(backend.batches(x), y, callbacks=callbacks, **kwargs)

    def evaluate(self, x=None, y=None, **kwargs):
        # `fit` passes its validation iterator, checked or not, by keyword.
        if not kwargs.get("_use_cached_eval_dataset"):
            check_first_batch(self, x, y)
        return super().evaluate(x, y, **kwargs)

    # Generation.

    def generate(
        self,
        num_samples,
        labels=None,
        seed=None,
        batch_size=None,
        use_ema=None,
        **options,
    ):
        """Draw new samples.

        Args:
            num_samples: Integer of at least 1.
            labels: Integer or `num_samples` integers in [0, num_classes), the
                classes to draw; None for models that are not conditional.
            seed: Integer: the same seed gives the same samples, whatever the
                batch size and, within float tolerance, the backend. None for
                a new draw.
            batch_size: Integer, how many to compute at once.
            use_ema: Bool, whether to use averaged weights; None for "if the
                model keeps any".
            **options: Those of the model's `from_noise`.

        Returns:
            float32 `(num_samples, *data_shape)` in [-1, 1], or int32 codes.
        """
        checks.check_positive_integer(num_samples, "num_samples")
        labels = checks.check_labels(labels, num_samples, self.num_classes)
        noise = self.starting_noise(num_samples, seed)
        return self.from_noise(noise, labels, batch_size, use_ema, **options)

    def starting_noise(self, num_samples, seed):
        """Return what samples start from, `(num_samples, *noise_shape)`."""
        return sample_noise(num_samples, self.noise_shape, seed)

    def one_hot(self, labels, n):
        """Return labels as float32 `(n, num_classes)`, None if unused."""
        labels = checks.check_labels(labels, n, self.num_classes)
        if labels is None:
            return None
        return np.eye(self.num_classes, dtype="float32")[labels]

    def one_hot_batch(self, y):
        """Return the labels of a training batch, `(batch, num_classes)`."""
        if y is None:
            raise ValueError(
                f"`{type(self).__name__}` is conditional and needs labels: "
                "train it on batches `(x, y)`. Received: y=None"
            )
        return ops.one_hot(ops.cast(y, "int32"), self.num_classes)

    def run_network(self, network, x, batch_size=None):
        """Apply a network in batches, outside training.

        Args:
            network: Built `keras.Model`.
            x: Array of shape `(n, ...)`, or list of them.
            batch_size: Integer, or None for 128.

        Returns:
            float32 array, or list of them if the network has several outputs.
        """
        batch_size = 128 if batch_size is None else batch_size
        checks.check_positive_integer(batch_size, "batch_size")
        checks.check_not_empty(x)
        with backend.undisturbed():
            outputs = network.predict(x, batch_size=batch_size, verbose=0)
        if isinstance(outputs, (list, tuple)):
            return [np.asarray(output, "float32") for output in outputs]
        return np.asarray(outputs, "float32")

    # Saving.

    def random_state(self):
        """Return the seed states, which Keras keeps but does not save."""
        weights = {id(v) for v in self.weights}
        return [v for v in self.variables if id(v) not in weights]

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for i, state in enumerate(self.random_state()):
            store[f"seed_{i}"] = ops.convert_to_numpy(state)

    def load_own_variables(self, store):
        keys = list(store.keys())
        seeds = [key for key in keys if key.startswith("seed_")]
        states = self.random_state()
        if len(seeds) != len(states):
            raise ValueError(
                f"`{type(self).__name__}` expected {len(states)} random "
                f"states in the file. Received: {len(seeds)}"
            )
        for i, state in enumerate(states):
            state.assign(np.asarray(store[f"seed_{i}"]))
        super().load_own_variables(
            {key: store[key] for key in keys if key not in seeds}
        )

    def save_to_preset(self, folder, card=None, half_precision=False):
        """Write the model as a preset, see `keras_gen.hub.save_to_preset`."""
        save_to_preset(self, folder, card, half_precision)

    @classmethod
    def from_preset(cls, preset, load_weights=True, **overrides):
        """Load a preset of this class, see `keras_gen.from_preset`."""
        return load_preset(find(preset), load_weights, overrides, wanted=cls)

    @_ClassProperty
    def presets(cls):
        """Name to card of the presets of this class that are built in."""
        cards = {name: read_card(name) for name in built_in()}
        return {n: c for n, c in cards.items() if c["class"] == cls.__name__}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**cls.read_config(config, custom_objects))

    @staticmethod
    def read_config(config, custom_objects=None):
        """Return the arguments that a configuration describes."""

        def read(value):
            if isinstance(value, list):
                return [read(item) for item in value]
            if isinstance(value, dict) and "class_name" in value:
                return keras.saving.deserialize_keras_object(
                    value, custom_objects=custom_objects
                )
            return value

        config = copy.deepcopy(config)  # Keras takes it apart while reading
        return {key: read(value) for key, value in config.items()}


def _scale_losses(optimizer):
    """Wrap each optimizer so that small float16 gradients survive."""
    if isinstance(optimizer, OptimizerGroup):
        return OptimizerGroup(
            {name: _scale_losses(m) for name, m in optimizer.members.items()}
        )
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)
