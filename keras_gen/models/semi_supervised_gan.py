"""Semi-supervised generative adversarial network."""

import keras
import numpy as np
from keras import ops

from keras_gen import checks
from keras_gen.training.adversarial import AdversarialModel


@keras.saving.register_keras_serializable("keras_gen")
class SemiSupervisedGAN(AdversarialModel):
    """Learn to classify from few labels and many images without.

    The discriminator is a classifier with K logits l(x) and one more for
    "generated", fixed at 0, so that with Z = sum_k exp l_k

        D(x) = Z / (Z + 1),    of which LSE(l(x)) = ln Z is the logit
        D down  mean CE(y', l(x')) + 1/2 [sp(-LSE l(x)) + sp(LSE l(G(z)))]
        G down  |E h(x) - E h(G(z))|^2, averaged over the features h;
                without `feature_matching` sp(-LSE l(G(z)))

    where (x', y') are drawn from the labelled samples, as many as the batch
    has of x: all of them where that is as many. Give these once, with
    `set_labelled`; `fit` takes the others, and ignores labels.

    Logs `accuracy` and `classifier_loss`: in training on labelled samples, in
    `evaluate(x, y)` on those given.

    Args:
        generator: `keras.Model` from latents `(batch, latent_dim)` to samples.
        discriminator: `keras.Model` from samples to K logits.
        num_labelled: Integer, the number of labelled samples.
        feature_matching: String, the name of the layer h of the discriminator,
            as in the paper; or None for the non-saturating loss.
        ema_decay: Float in [0, 1) to generate and classify with averaged
            weights, or None.
        **kwargs: See `keras_gen.training.adversarial.AdversarialModel`; `loss`
            does not apply.

    Raises:
        ValueError: If the networks do not fit each other, an argument is out
            of range, or no labelled samples were given.

    Reference:
        Salimans et al., Improved Techniques for Training GANs, 2016,
        arXiv:1606.03498.
    """

    averaged_networks = ("discriminator", "generator")
    num_logits = None

    def __init__(
        self,
        generator,
        discriminator,
        num_labelled,
        feature_matching=None,
        **kwargs,
    ):
        if "loss" in kwargs:
            raise ValueError(
                "`loss` does not apply to `SemiSupervisedGAN`. "
                f"Received: loss={kwargs['loss']!r}"
            )
        super().__init__(
            generator,
            discriminator,
            feature_matching=feature_matching,
            logs=("classifier_loss", "accuracy"),
            **kwargs,
        )
        self.num_labelled = checks.check_positive_integer(
            num_labelled, "num_labelled"
        )
        self.labelled_x = self.add_weight(
            shape=(num_labelled, *self.data_shape),
            initializer="zeros",
            trainable=False,
            name="labelled_x",
        )
        self.labelled_y = self.add_weight(
            shape=(num_labelled,),
            initializer=keras.initializers.Constant(-1),
            dtype="int32",
            trainable=False,
            name="labelled_y",
        )
        # A preset is for others to use, and leaves these out.
        self.labelled_x.is_data = self.labelled_y.is_data = True

    def set_labelled(self, x, y):
        """Give the labelled samples.

        Args:
            x: Array `(num_labelled, *data_shape)`.
            y: Integer array `(num_labelled,)` in [0, K).

        Raises:
            ValueError: If they are of another number, shape or range.
        """
        x = np.asarray(x)
        checks.check_array(x, self.data_shape, type(self).__name__)
        num_classes = self.discriminator.outputs[0].shape[-1]
        y = checks.check_labels(y, self.num_labelled, num_classes)
        if len(x) != self.num_labelled:
            raise ValueError(
                f"`x` must hold `num_labelled` = {self.num_labelled} samples. "
                f"Received: {len(x)}"
            )
        self.labelled_x.assign(x)
        self.labelled_y.assign(y)

    def fit(self, *args, **kwargs):
        self._need_labelled()
        return super().fit(*args, **kwargs)

    def train_on_batch(self, *args, **kwargs):
        self._need_labelled()
        return super().train_on_batch(*args, **kwargs)

    def evaluate(self, x=None, y=None, **kwargs):
        labels = getattr(x, "labels", None) if y is None else y
        if labels is not None:
            num_classes = self.discriminator.outputs[0].shape[-1]
            checks.check_labels(labels, len(labels), num_classes)
        elif hasattr(x, "shape") or hasattr(x, "labels"):
            self._need_labelled()  # the classifier is judged on these
        return super().evaluate(x, y, **kwargs)

    def _need_labelled(self):
        if ops.convert_to_numpy(self.labelled_y).min() < 0:
            raise ValueError(
                "`SemiSupervisedGAN` needs labelled samples: call "
                "`set_labelled(x, y)` before training, and before evaluation "
                "without labels."
            )

    def classify(self, x, batch_size=None, use_ema=None):
        """Return the most probable class of each sample, int32 `(n,)`."""
        x = np.asarray(x)
        checks.check_array(x, self.data_shape, type(self).__name__)
        network = self.sampling_network("discriminator", use_ema)
        logits = self.run_network(network, x, batch_size)
        return logits.argmax(axis=-1).astype("int32")

    def logits(self, x, y, training):
        """Return LSE l(x), the logit of D(x) = Z / (Z + 1)."""
        classes = super().logits(x, y, training)
        return ops.logsumexp(classes, axis=-1, keepdims=True)

    def classification(self, x, y, training):
        """Return cross-entropy and accuracy."""
        classes = super().logits(x, None, training)
        y = ops.reshape(y, (-1,))
        entropy = keras.losses.sparse_categorical_crossentropy(
            y, classes, from_logits=True
        )
        hits = ops.equal(ops.argmax(classes, axis=-1), ops.cast(y, "int32"))
        return ops.mean(entropy), ops.mean(ops.cast(hits, "float32"))

    def draw_labelled(self, n):
        """Return n labelled samples, each as often as others or once more."""
        order = ops.arange(self.num_labelled, dtype="int32")
        order = keras.random.shuffle(order, seed=self.seed_generator)
        rows = ops.take(order, ops.arange(n, dtype="int32") % self.num_labelled)
        x = ops.take(ops.convert_to_tensor(self.labelled_x), rows, axis=0)
        return x, ops.take(ops.convert_to_tensor(self.labelled_y), rows, axis=0)

    def discriminator_loss(self, x, fake, y, training):
        n = ops.shape(x)[0]
        labelled = self.draw_labelled(n) if y is None else (x, y)
        entropy, accuracy = self.classification(*labelled, training)
        r, f = self.logits(x, None, training), self.logits(fake, None, training)
        loss = entropy + 0.5 * self.adversarial_loss.discriminator(r, f)
        self.adapt(r, training)
        return {
            "loss": loss + self.penalty_term(x, fake, None, training),
            "real_logit": ops.mean(r),
            "fake_logit": ops.mean(f),
            "classifier_loss": entropy,
            "accuracy": accuracy,
        }

    def generator_loss(self, x, fake, y, training):
        if self.feature_matching is not None:
            return self.feature_distance(x, fake, None, training)
        return self.adversarial_loss.generator(
            self.logits(fake, None, training)
        )

    def condition(self, y):
        # Labels are of use in evaluation only, and then as they are.
        return y

    def training_step(self, x, y=None):
        return super().training_step(x, None)

    def get_config(self):
        config = super().get_config()
        del config["loss"]
        return {**config, "num_labelled": self.num_labelled}
