"""The base of models in which a generator plays against a discriminator."""

import keras
from keras import ops

from keras_gen import checks
from keras_gen.losses import get_adversarial_loss
from keras_gen.training import backend
from keras_gen.training.historical import HistoricalAverage
from keras_gen.training.model import GenerativeModel
from keras_gen.training.noise import truncate
from keras_gen.training.players import adaptive_layers
from keras_gen.training.players import mixing_layers
from keras_gen.training.players import warn_of_batch_statistics
from keras_gen.training.players import warn_of_probabilities


class AdversarialModel(GenerativeModel):
    """Alternate k steps of the discriminator with one of the generator.

    The generator learns from the samples that the last of the k steps saw: they
    are drawn once, where the algorithm of 2014 draws anew. Everything that
    stabilises such a game and does not depend on what the networks are is here.
    A subclass writes what each player minimises, `discriminator_loss` and
    `generator_loss`.

    Args:
        generator: `keras.Model` from latents `(batch, latent_dim)`, in models
            with classes also one-hot labels `(batch, num_classes)`, to samples.
        discriminator: `keras.Model` from samples to logits `(batch, 1)`.
        loss: String, see `keras_gen.losses.adversarial`: `"non_saturating"`,
            `"minimax"`, `"least_squares"`, `"hinge"`, `"wasserstein"`,
            `"relativistic"`.
        discriminator_steps: Integer k of at least 1.
        discriminator_batches: `"reuse"`: the k steps see the same real batch,
            and new z each; `"split"`: the batch is cut in k, each step sees
            its part once, and the generator draws as many as one part has;
            what is left over is not used, and no batch may have fewer than k
            samples (of a `tf.data.Dataset` drop the remainder).
            The algorithm of 2014 is `"split"` on batches k times as large,
            but for the samples that the generator learns from, see above.
        penalty: `keras_gen.losses.GradientPenalty`, a list of them, or None.
        label_smoothing: Float s in [0, 0.5): the target of real samples is
            1 - s, that of generated ones stays 0.
        clip_weights: Float c: after each of its steps the discriminator's
            weights are clipped to [-c, c]. None for no clipping.
        feature_matching: String, the name of a layer h of the discriminator:
            the generator then minimises |E h(x) - E h(G(z))|^2, averaged over
            features, and not its adversarial loss. None for the latter.
        historical_averaging: Float, the weight of |w - mean of w so far|^2 in
            both players' losses.
        augmentation: Layer applied to all that the discriminator sees in
            training, such as `keras_gen.layers.DiffAugment`, or None.
        replay: `keras_gen.layers.ImagePool` to show the discriminator some
            earlier samples, or None.
        ema_decay: Float in [0, 1) to sample with an averaged generator, or
            None.
        log_gradients: Bool, whether to log the norm of each player's gradient.
        logs: Tuple of further logs of the subclass.

    Logs:
        Both losses, and `real_logit` and `fake_logit`, the means of what the
        discriminator says in the last of its steps. They drift apart without
        bound when it wins, and meet when it cannot tell.

    Raises:
        ValueError: If the networks do not fit each other or an argument is out
            of range.

    Reference:
        Salimans et al., Improved Techniques for Training GANs, 2016,
        arXiv:1606.03498 (feature matching, historical averaging, label
        smoothing); Shrivastava et al., 2016, arXiv:1612.07828 (replay).
    """

    networks = ("discriminator", "generator")
    averaged_networks = ("generator",)
    # Of the discriminator: outputs, and logits a sample, None for any number.
    num_judgements, num_logits = 1, 1
    signed_logits = True  # whether 0 is between "generated" and "real"

    def __init__(
        self,
        generator,
        discriminator,
        loss="non_saturating",
        discriminator_steps=1,
        discriminator_batches="reuse",
        penalty=None,
        label_smoothing=0.0,
        clip_weights=None,
        feature_matching=None,
        historical_averaging=0.0,
        augmentation=None,
        replay=None,
        ema_decay=None,
        log_gradients=False,
        logs=(),
        **kwargs,
    ):
        names = ("discriminator_loss", "generator_loss")
        names += ("real_logit", "fake_logit", *logs)
        if log_gradients:
            names += ("discriminator_gradient", "generator_gradient")
        super().__init__(logs=names, **kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.check_networks()
        self.loss_name = loss
        self.adversarial_loss = get_adversarial_loss(loss, label_smoothing)
        self.discriminator_steps = checks.check_positive_integer(
            discriminator_steps, "discriminator_steps"
        )
        if discriminator_batches not in ("reuse", "split"):
            raise ValueError(
                '`discriminator_batches` must be "reuse" or "split". '
                f"Received: discriminator_batches={discriminator_batches!r}"
            )
        self.discriminator_batches = discriminator_batches
        self.penalty = penalty
        self.penalties = _as_list(penalty)
        if clip_weights is not None and not clip_weights > 0:
            raise ValueError(
                "`clip_weights` must be above 0, or None. "
                f"Received: clip_weights={clip_weights}"
            )
        self.clip_weights = clip_weights
        self.feature_matching = feature_matching
        features = None
        if feature_matching is not None:
            features = keras.Model(
                discriminator.inputs,
                discriminator.get_layer(feature_matching).output,
            )
        # Past Keras's tracking: its layers are the discriminator's.
        object.__setattr__(self, "features", features)
        self.historical_averaging = checks.check_non_negative(
            historical_averaging, "historical_averaging"
        )
        if historical_averaging:
            self.histories = {
                name: HistoricalAverage(self._variables_of(name), name=name)
                for name in self.networks
            }
        self.augmentation = augmentation
        self.replay = replay
        self.log_gradients = log_gradients
        self.noise_shape = tuple(generator.inputs[0].shape[1:])
        self.data_shape = tuple(discriminator.inputs[0].shape[1:])
        if augmentation is not None and not augmentation.built:
            augmentation.build((None, *self.data_shape[-3:]))
        self.check_stabilisers()
        self.average_weights(ema_decay, *self.averaged_networks)

    def check_networks(self):
        """Raise unless the generator makes what the discriminator judges."""
        inputs = 1 if self.num_classes is None else 2
        checks.check_network(self.generator, "generator", num_inputs=inputs)
        network, takes, returns = self.discriminator, 1, self.num_judgements
        if self.num_classes is not None:  # labels come in, or go out
            two = len(getattr(network, "inputs", None) or ()) == 2
            takes, returns = (2, 1) if two else (1, 2)
        checks.check_network(network, "discriminator", returns, takes)
        made = self.generator.outputs[0].shape
        taken = network.inputs[0].shape
        if made != taken:
            raise ValueError(
                "`discriminator` must take what `generator` returns. Received: "
                f"generator output of shape {made}, discriminator input of "
                f"shape {taken}"
            )
        shared = {id(v) for v in self._variables_of("generator")} & {
            id(v) for v in self._variables_of("discriminator")
        }
        if shared:
            raise ValueError(
                "`generator` and `discriminator` must have no weights in "
                f"common: each moves its own. Received: {len(shared)} in both"
            )
        logits = network.outputs[0].shape
        if self.num_logits is not None and logits != (None, self.num_logits):
            raise ValueError(
                "`discriminator` must return logits of shape (batch, "
                f"{self.num_logits}). Received: {logits}"
            )
        if self.signed_logits:  # and not energies or codes
            warn_of_probabilities(network)

    def check_stabilisers(self):
        """Raise or warn where two choices do not go together."""
        for penalty in self.penalties:
            if not hasattr(penalty, "every"):
                raise ValueError(
                    "`penalty` must be a `GradientPenalty`, or a list of them. "
                    f"Received: {penalty!r}"
                )
        if self.penalties:
            warn_of_batch_statistics(self.discriminator)
        signed = self.signed_logits and self.adversarial_loss.signed
        if adaptive_layers(self.augmentation) and not signed:
            raise ValueError(
                "Adaptive augmentation goes by the sign of the logits on real "
                "samples, and here it means nothing. Use `target=None`, or the "
                'loss "non_saturating", "minimax" or "hinge".'
            )
        if self.replay is None:
            return
        if self.replay.shape != self.data_shape:
            raise ValueError(
                f"`replay` must hold samples of shape {self.data_shape}. "
                f"Received: {self.replay.shape}"
            )
        if len(self.discriminator.inputs) == 2:
            raise ValueError(
                "`replay` keeps samples without their labels, and this "
                "discriminator needs both. Received: replay="
                f"{self.replay.name}"
            )

    # What is judged.

    def fake(self, num_samples, y, training):
        """Return generated samples for new z and any labels `y`."""
        shape = (num_samples, *self.noise_shape)
        z = keras.random.normal(shape, seed=self.seed_generator)
        inputs = z if len(self.generator.inputs) == 1 else [z, y]
        return ops.cast(self.generator(inputs, training=training), "float32")

    def judge(self, x, y, training):
        """Return D(x) in float32, without augmentation."""
        inputs = x if len(self.discriminator.inputs) == 1 else [x, y]
        logits = self.discriminator(inputs, training=training)
        return ops.cast(logits, "float32")

    def logits(self, x, y, training):
        """Return what the discriminator says of `x`, augmented in training."""
        return self.judge(self.augmented(x, training), y, training)

    def augmented(self, x, training):
        """Return `x` as the discriminator gets to see it."""
        if training and self.augmentation is not None:
            return self.augmentation(x, training=True)
        return x

    # What the players minimise.

    def discriminator_loss(self, x, fake, y, training):
        """Return a dict of the loss, `real_logit` and `fake_logit`."""
        raise NotImplementedError

    def generator_loss(self, x, fake, y, training):
        """Return the loss; most need no real samples `x`."""
        raise NotImplementedError

    def shown(self, fake, training):
        """Return generated samples as the discriminator's steps see them."""
        fake = ops.stop_gradient(fake)
        if training and self.replay is not None:
            return self.replay(fake)
        return fake

    def adapt(self, real_logits, training):
        """Let an adaptive augmentation see how sure the discriminator is."""
        for layer in adaptive_layers(self.augmentation) if training else ():
            layer.adapt(real_logits)

    def penalty_term(self, x, fake, y, training):
        """Return the sum of the gradient penalties."""
        terms = [self.charge(p, x, fake, y, training) for p in self.penalties]
        return ops.sum(ops.stack(terms)) if terms else 0.0

    def feature_distance(self, x, fake, y, training):
        """Return the mean squared difference of the means of features."""

        def mean(x):
            x = self.augmented(x, training)
            inputs = x if len(self.discriminator.inputs) == 1 else [x, y]
            features = self.features(inputs, training=training)
            return ops.mean(ops.cast(features, "float32"), axis=0)

        return ops.mean(ops.square(mean(x) - mean(fake)))

    def charge(self, penalty, x, fake, y, training):
        """Return a gradient penalty, in training at every so many steps."""

        def gradient(points):
            return backend.input_gradient(
                lambda x: self.logits(x, y, training), points
            )

        def value():
            return penalty(gradient, x, fake, self.seed_generator)

        if penalty.every == 1 or not training:
            return value()
        step = ops.convert_to_tensor(self.optimizer["discriminator"].iterations)
        return backend.when(
            ops.equal(step % penalty.every, 0),
            lambda: penalty.every * value(),
            xla=bool(self.jit_compile),
        )

    # The game.

    def training_step(self, x, y=None):
        *first, (x, y) = self.parts(x, self.condition(y))
        for part, labels in first:
            fake = self.fake(ops.shape(part)[0], labels, training=True)
            fake = ops.stop_gradient(fake)  # frees the generator's graph
            self.discriminator_step(part, fake, labels)

        def last():
            # Within the generator's step, so that its samples serve both.
            fake = self.fake(ops.shape(x)[0], y, training=True)
            logs = self.discriminator_step(x, fake, y)
            loss = self.generator_loss(x, fake, y, training=True)
            return logs | _named(loss, "generator")

        return self.play("generator", last)

    def discriminator_step(self, x, fake, y):
        """Let the discriminator take a step; return its logs."""
        fake = self.shown(fake, training=True)
        logs = self.play(
            "discriminator",
            lambda: _named(
                self.discriminator_loss(x, fake, y, training=True),
                "discriminator",
            ),
        )
        if self.clip_weights is not None:
            for v in self.discriminator.trainable_variables:
                c = self.clip_weights
                v.assign(ops.clip(ops.convert_to_tensor(v), -c, c))
        return logs

    def evaluation_step(self, x, y=None):
        y = self.condition(y)
        fake = self.shown(self.fake(ops.shape(x)[0], y, False), False)
        loss = self.discriminator_loss(x, fake, y, training=False)
        logs = _named(loss, "discriminator")
        loss = self.generator_loss(x, fake, y, training=False)
        logs |= _named(loss, "generator")
        if self.log_gradients:  # nothing moves
            logs |= {f"{name}_gradient": 0.0 for name in self.networks}
        return logs

    def condition(self, y):
        """Return the one-hot labels of a batch, None for models without."""
        return None if self.num_classes is None else self.one_hot_batch(y)

    def parts(self, x, y):
        """Return the batch of each of the k steps, with its labels."""
        k = self.discriminator_steps
        if k == 1 or self.discriminator_batches == "reuse":
            return [(x, y)] * k
        n = ops.shape(x)[0] // k
        if isinstance(n, int) and n == 0:  # not known in graphs of TensorFlow
            raise ValueError(
                f"A batch cannot be split in {k}. Received: {len(x)} samples"
            )
        rows = [slice(i * n, (i + 1) * n) for i in range(k)]
        return [(x[r], None if y is None else y[r]) for r in rows]

    def fit(self, x=None, y=None, **kwargs):
        held_out = kwargs.get("validation_split") or 0.0
        self._check_last_batch(x, kwargs.get("batch_size"), held_out)
        return super().fit(x, y, **kwargs)

    def _check_last_batch(self, x, batch_size, held_out):
        """Raise if the last batch of an epoch is too small to train on."""
        split = self.discriminator_batches == "split"
        least = self.discriminator_steps if split else 1
        least *= 2 if self.compares_samples else 1
        x = x.get("image") if isinstance(x, dict) else x
        if hasattr(x, "images") and hasattr(x, "batch_size"):
            n, batch_size = len(x.images), x.batch_size
        elif hasattr(x, "shape"):
            n, batch_size = int(len(x) * (1.0 - held_out)), batch_size or 32
        else:  # not known before it comes
            return
        last = n % batch_size or batch_size
        if last < least:
            raise ValueError(
                f"`{type(self).__name__}` needs batches of at least {least} "
                f"samples here, and the last of an epoch has {last}: {n} "
                f"samples in batches of {batch_size}. Choose another "
                "`batch_size`, or fewer samples."
            )

    @property
    def compares_samples(self):
        """Bool, whether a batch of one makes no sense."""
        networks = (self.discriminator, self.generator)
        return any(mixing_layers(network) for network in networks)

    def play(self, name, logs_fn):
        """Let one player take a step; return its logs."""

        def loss_and_history():
            logs = logs_fn()
            loss = logs[f"{name}_loss"]
            if self.historical_averaging:
                term = self.histories[name](self._variables_of(name))
                loss = loss + self.historical_averaging * term
            return {"loss": loss, **logs}

        logs = self.minimize(loss_and_history, name, norm=self.log_gradients)
        del logs["loss"]
        if self.log_gradients:
            logs[f"{name}_gradient"] = logs.pop("gradient_norm")
        return logs

    def call(self, inputs, training=False):
        return self.generator(inputs, training=training)

    def from_noise(
        self,
        noise,
        labels=None,
        batch_size=None,
        use_ema=None,
        truncation=None,
    ):
        """Return the generator's samples from z.

        Args:
            noise: float32 array `(n, *noise_shape)`.
            labels: Integers `(n,)` or integer, for conditional models.
            batch_size: Integer, how many to compute at once.
            use_ema: Bool, see `generate`.
            truncation: Float above 0, the largest entry of z; None for normal
                z. The smaller, the more typical and the more alike samples get
                (Brock et al., 2018, arXiv:1809.11096).
        """
        generator = self.sampling_network("generator", use_ema)
        noise = truncate(noise, truncation)
        hot = self.one_hot(labels, len(noise))
        inputs = noise if hot is None else [noise, hot]
        return self.run_network(generator, inputs, batch_size)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
            "loss": self.loss_name,
            "discriminator_steps": self.discriminator_steps,
            "discriminator_batches": self.discriminator_batches,
            "penalty": serialize(self.penalty),
            "label_smoothing": self.adversarial_loss.label_smoothing,
            "clip_weights": self.clip_weights,
            "feature_matching": self.feature_matching,
            "historical_averaging": self.historical_averaging,
            "augmentation": serialize(self.augmentation),
            "replay": serialize(self.replay),
            "ema_decay": self.ema_decay,
            "log_gradients": self.log_gradients,
        }


def _as_list(penalty):
    if penalty is None:
        return []
    return list(penalty) if isinstance(penalty, (list, tuple)) else [penalty]


def _named(loss, name):
    """Return a loss, or a dict with a `"loss"`, as logs of a player."""
    logs = dict(loss) if isinstance(loss, dict) else {"loss": loss}
    return {f"{name}_loss": logs.pop("loss"), **logs}
