"""Stop training when any log stops being a number."""

import warnings

import keras
import numpy as np
from keras import ops


class StopOnNaN(keras.callbacks.Callback):
    """Stop at the end of an epoch in which a loss became NaN or infinite.

    Unlike `keras.callbacks.TerminateOnNaN` it looks at every log of the model,
    so it also works for models without one called `loss`; and at the trained
    weights, which the last step may have spoilt after the logs. `Checkpoint`
    never saves such an epoch, so the last good checkpoint stays the newest.
    """

    def on_epoch_end(self, epoch, logs=None):
        bad = not_finite(logs, self.model)
        if bad:
            warnings.warn(
                f"Epoch {epoch + 1}: {bad} not finite. Stopping.", stacklevel=2
            )
            self.model.stop_training = True


def not_finite(logs, model):
    """Return the names of the model's logs that are NaN or infinite.

    Those that other callbacks add, such as metrics of samples, may be; and so
    may the norms of gradients: the steps in which float16 overflows are
    skipped. Where all are finite, the name of the first trained weight that is
    not.
    """
    own = {metric.name for metric in model.metrics}
    bad = [
        name
        for name, value in (logs or {}).items()
        if name.removeprefix("val_") in own
        and not name.endswith("_gradient")
        and not np.isfinite(float(value))
    ]
    if not bad:
        bad = [
            weight.path
            for weight in model.trainable_weights
            if not np.isfinite(ops.convert_to_numpy(weight)).all()
        ]
        bad = bad[:1]
    return bad
