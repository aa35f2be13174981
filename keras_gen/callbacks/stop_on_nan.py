"""Stop training when any log stops being a number."""

import warnings

import keras
import numpy as np


class StopOnNaN(keras.callbacks.Callback):
    """Stop at the end of an epoch in which any log became NaN or infinite.

    Unlike `keras.callbacks.TerminateOnNaN` it looks at every log, so it also
    works for models without a log called `loss`. `Checkpoint` never saves
    such an epoch, so the last good checkpoint stays the newest.
    """

    def on_epoch_end(self, epoch, logs=None):
        bad = not_finite(logs)
        if bad:
            warnings.warn(
                f"Epoch {epoch + 1}: {bad} not finite. Stopping.", stacklevel=2
            )
            self.model.stop_training = True


def not_finite(logs):
    """Return the names of the logs that are NaN or infinite."""
    return [k for k, v in (logs or {}).items() if not np.isfinite(float(v))]
