"""What the two players of a GAN minimise, given the discriminator's logits.

r are logits on real samples, f on generated ones; the greater, the more real.
Each loss is a batch mean. sp(a) = ln(1 + e^a).

| name                 | D minimises           | G minimises |
|----------------------|-----------------------|-------------|
| non_saturating       | sp(-r) + sp(f)        | sp(-f)      |
| minimax              | sp(-r) + sp(f)        | -sp(f)      |
| least_squares        | (r-1)^2/2 + f^2/2     | (f-1)^2/2   |
| hinge                | max(0,1-r)+max(0,1+f) | -f          |
| wasserstein          | f - r                 | -f          |
| relativistic         | sp(f - r)             | sp(r - f)   |

With one-sided label smoothing s the target of real samples is 1 - s, that of
generated ones stays 0: sp(-r) becomes (1-s) sp(-r) + s sp(r), and (r-1)^2
becomes (r-1+s)^2 (Salimans et al., 2016, arXiv:1606.03498). The last three have
no targets to smooth.

Reference:
    Goodfellow et al., Generative Adversarial Networks, 2014, arXiv:1406.2661;
    Mao et al., 2016, arXiv:1611.04076 (least squares); Miyato et al., 2018,
    arXiv:1802.05957 (hinge); Arjovsky et al., 2017, arXiv:1701.07875
    (Wasserstein); Jolicoeur-Martineau, 2018, arXiv:1807.00734 (relativistic).
"""

from keras import ops


class AdversarialLoss:
    """The losses of the two players, from logits.

    Args:
        label_smoothing: Float s in [0, 0.5).

    Attributes:
        paired: Bool, whether the generator's loss needs the logits of real
            samples.
        has_targets: Bool, whether there are targets to smooth.
        signed: Bool, whether a positive logit says "real", so that its sign
            tells how often the discriminator is right.
    """

    paired = False
    has_targets = True
    signed = True

    def __init__(self, label_smoothing=0.0):
        if not 0 <= label_smoothing < 0.5:
            raise ValueError(
                "`label_smoothing` must be in [0, 0.5). "
                f"Received: label_smoothing={label_smoothing}"
            )
        if label_smoothing and not self.has_targets:
            raise ValueError(
                f"The loss {type(self).__name__} has no targets to smooth. "
                f"Received: label_smoothing={label_smoothing}"
            )
        self.label_smoothing = float(label_smoothing)

    def discriminator(self, real, fake):
        """Return what the discriminator minimises."""
        raise NotImplementedError

    def generator(self, fake, real=None):
        """Return what the generator minimises."""
        raise NotImplementedError


class NonSaturating(AdversarialLoss):
    """The generator maximises ln D(G(z)): strong gradients while it loses."""

    def discriminator(self, real, fake):
        s = self.label_smoothing
        loss = (1.0 - s) * ops.softplus(-real) + ops.softplus(fake)
        if s:
            loss = loss + s * ops.softplus(real)
        return ops.mean(loss)

    def generator(self, fake, real=None):
        return ops.mean(ops.softplus(-fake))


class Minimax(NonSaturating):
    """The game as first stated: the generator minimises ln(1 - D(G(z))).

    The generator's gradient vanishes while the discriminator wins.
    """

    def generator(self, fake, real=None):
        return -ops.mean(ops.softplus(fake))


class LeastSquares(AdversarialLoss):
    """Squared errors against targets 1 and 0; far from them it still pulls."""

    signed = False

    def discriminator(self, real, fake):
        target = 1.0 - self.label_smoothing
        return 0.5 * ops.mean(ops.square(real - target) + ops.square(fake))

    def generator(self, fake, real=None):
        return 0.5 * ops.mean(ops.square(fake - 1.0))


class Hinge(AdversarialLoss):
    """The discriminator stops pushing samples it is sure of."""

    has_targets = False

    def discriminator(self, real, fake):
        return ops.mean(ops.relu(1.0 - real) + ops.relu(1.0 + fake))

    def generator(self, fake, real=None):
        return -ops.mean(fake)


class Wasserstein(Hinge):
    """The difference of means: a distance if the critic's slope is bounded.

    Bound it with `clip_weights` or a `GradientPenalty`.
    """

    signed = False

    def discriminator(self, real, fake):
        return ops.mean(fake - real)


class Relativistic(AdversarialLoss):
    """Judge each real sample against one generated sample.

    Only differences matter: a constant added to all logits changes nothing.
    """

    paired = True
    has_targets = False
    signed = False

    def discriminator(self, real, fake):
        return ops.mean(ops.softplus(fake - real))

    def generator(self, fake, real=None):
        return ops.mean(ops.softplus(real - fake))


_LOSSES = {
    "hinge": Hinge,
    "least_squares": LeastSquares,
    "minimax": Minimax,
    "non_saturating": NonSaturating,
    "relativistic": Relativistic,
    "wasserstein": Wasserstein,
}


def get_adversarial_loss(name, label_smoothing=0.0):
    """Return the adversarial loss called `name`."""
    if name not in _LOSSES:
        raise ValueError(
            f"`loss` must be one of {sorted(_LOSSES)}. Received: loss={name!r}"
        )
    return _LOSSES[name](label_smoothing)
