"""What the two players of a GAN minimise, given the discriminator's logits.

r are logits on real samples, f on generated ones; a positive logit says
"real". Each loss is a batch mean. sp(a) = ln(1 + e^a).

Reference:
    Goodfellow et al., Generative Adversarial Networks, 2014, arXiv:1406.2661.
"""

from keras import ops


class NonSaturating:
    """The generator maximises ln D(G(z)): strong gradients while it loses.

    discriminator: sp(-r) + sp(f)        generator: sp(-f)

    With one-sided `label_smoothing` s the real term becomes
    (1 - s) sp(-r) + s sp(r); generated samples keep the target 0
    (Salimans et al., 2016, arXiv:1606.03498).
    """

    def discriminator(self, real, fake, label_smoothing=0.0):
        s = label_smoothing
        loss = (1.0 - s) * ops.softplus(-real) + ops.softplus(fake)
        if s:
            loss = loss + s * ops.softplus(real)
        return ops.mean(loss)

    def generator(self, fake):
        return ops.mean(ops.softplus(-fake))


class Minimax(NonSaturating):
    """The game as first stated: the generator minimises ln(1 - D(G(z))).

    discriminator: sp(-r) + sp(f)        generator: -sp(f)

    The generator's gradient vanishes while the discriminator wins.
    """

    def generator(self, fake):
        return -ops.mean(ops.softplus(fake))


_LOSSES = {"minimax": Minimax, "non_saturating": NonSaturating}


def get_adversarial_loss(name):
    """Return the adversarial loss called `name`."""
    if name not in _LOSSES:
        raise ValueError(
            f"`loss` must be one of {sorted(_LOSSES)}. Received: loss={name!r}"
        )
    return _LOSSES[name]()
