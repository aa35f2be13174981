"""A sampler's plan carried out by a network, as one compiled program."""

import keras
import numpy as np
from keras import ops

from keras_gen.training import backend
from keras_gen.training.noise import draw

# Bytes of fresh noise a call: it is drawn on the host, and memory must not
# grow with the number of steps.
NOISE_BYTES = 2**26


class SamplingLoop(keras.Model):
    """The evaluations of a plan, as a model, so that Keras compiles them.

    See `keras_gen.diffusion.samplers` for what one of them does. Inputs are a
    dict of arrays that share their first axis, n:

        x, x_before, data_before   (n, *data_shape)
        rows    (n, K, 12), the columns of a `Plan` and the guidance weight
        noise   (n, K, *data_shape), if any is needed
        labels  (n, num_classes), if the model has classes
        condition  (n, ...), if the network takes one
        known, mask  (n, *data_shape), to keep some data as they are

    Args:
        model: `DenoisingModel`.
        network: Its network, or the average of it.
        learned: Bool, whether the network gives the variance.
        guided: Bool, whether the weight is other than 1 anywhere.
        clip: Bool, whether to keep estimates of the data in [-1, 1].
    """

    def __init__(self, model, network, learned, guided, clip):
        super().__init__(dtype="float32")
        # Past Keras's tracking: a loop has no weights of its own.
        object.__setattr__(self, "denoising_model", model)
        self.network = network
        self.learned, self.guided, self.clip = learned, guided, clip
        self.built = True

    def call(self, inputs):
        rows = inputs["rows"]
        state = (inputs["x"], inputs["x_before"], inputs["data_before"])

        def body(i, state):
            row = ops.take(rows, i, axis=1)
            z = None
            if "noise" in inputs:
                z = ops.take(inputs["noise"], i, axis=1)
            return self.evaluate_once(inputs, row, z, *state)

        return ops.fori_loop(0, ops.shape(rows)[1], body, state)

    def evaluate_once(self, inputs, row, z, x, x_before, data_before):
        """Return x, the x before and the D before after one evaluation."""
        ones = (1,) * (len(x.shape) - 1)
        columns = [
            ops.reshape(column, (-1, *ones))
            for column in ops.split(row, row.shape[1], axis=1)
        ]
        alpha, sigma, a, b, c, e, s, next_alpha, next_sigma = columns[:9]
        log_small, log_large, weight = columns[9:]
        data, v = self.estimate(inputs, x, alpha, sigma, data_before, weight)
        new = a * x + b * data + c * data_before + e * x_before
        if z is not None:
            scale = s
            if self.learned:
                log_var = v * log_large + (1.0 - v) * log_small
                scale = s * ops.exp(0.5 * log_var)
            new = new + scale * z
        if "mask" in inputs:
            known = next_alpha * inputs["known"] + next_sigma * z
            new = ops.where(inputs["mask"] > 0, known, new)
        return new, x, data

    def estimate(self, inputs, x, alpha, sigma, before, weight):
        """Return the guided estimate of the data, and the variance's share."""
        labels, condition = inputs.get("labels"), inputs.get("condition")
        model, arguments = self.denoising_model, [x, alpha, sigma, before]
        if self.guided:
            # With the labels and without, in one batch.
            arguments = [ops.concatenate([t, t]) for t in arguments]
            labels = ops.concatenate([labels, ops.zeros_like(labels)])
            if condition is not None:
                condition = ops.concatenate([condition, condition])
        x, alpha, sigma, before = arguments
        data, v = model.estimate(
            self.network, x, alpha, sigma, labels, before, condition
        )
        if self.guided:
            with_label, without = ops.split(data, 2)
            data = without + weight * (with_label - without)
            if v is not None:
                v = ops.split(v, 2)[0]
        return ops.clip(data, -1.0, 1.0) if self.clip else data, v


def run_plan(loop, x, plan, weights, streams, extra, batch_size, on_step=None):
    """Carry a plan out in batches.

    Args:
        loop: `SamplingLoop`.
        x: Array `(n, *data_shape)`, at the first level of the plan.
        plan: `keras_gen.diffusion.samplers.Plan`.
        weights: float64 array `(K,)`, the guidance weight of each evaluation.
        streams: The n generators that fresh noise comes from.
        extra: Dict of arrays with n rows, further inputs of the loop.
        batch_size: Integer.
        on_step: Callable or None, see `DenoisingModel.generate`.

    Returns:
        float32 array `(n, *data_shape)`.
    """
    rows = np.column_stack([plan.columns(), weights]).astype("float32")
    noisy = bool(plan.noise.any()) or "mask" in extra
    results = []
    for start in range(0, len(x), batch_size):
        n = min(batch_size, len(x) - start)
        # The last batch is filled up: another size would compile anew.
        index = start + np.arange(batch_size if len(x) > batch_size else n)
        index = np.minimum(index, len(x) - 1)
        inputs = {key: value[index] for key, value in extra.items()}
        results.append(
            _run_batch(
                loop,
                x[index],
                rows,
                [streams[i] for i in index[:n]] if noisy else None,
                inputs,
                n,
                on_step,
            )
        )
    return np.concatenate(results)


def _run_batch(loop, x, rows, streams, inputs, n, on_step):
    """Return the first n samples; what follows them only fills the batch."""
    size = len(rows)
    if on_step is not None:
        size = 1
    elif streams is not None:
        calls = -(-len(rows) * x.nbytes // NOISE_BYTES)
        size = -(-len(rows) // calls)
    state = [x, np.zeros_like(x), np.zeros_like(x)]
    for first in range(0, len(rows), size):
        part = rows[first : first + size]
        if len(part) < size:
            part = np.concatenate([part, _idle(part[-1], size - len(part))])
        arrays = dict(zip(("x", "x_before", "data_before"), state))
        arrays["rows"] = np.repeat(part[None], len(x), axis=0)
        if streams is not None:
            noise = draw(streams, (size, *x.shape[1:]))
            missing = len(x) - len(streams)
            arrays["noise"] = np.concatenate(
                [noise, noise[:1].repeat(missing, 0)]
            )
        with backend.undisturbed():
            state = loop.predict_on_batch({**inputs, **arrays})
        state = [np.asarray(part, "float32") for part in state]
        if on_step is not None:
            on_step(first, len(rows), state[0][:n], state[2][:n])
    return state[0][:n]


def _idle(row, n):
    """Return n evaluations after which x is what it was."""
    idle = np.zeros((n, len(row)), "float32")
    idle[:, :2] = row[:2]  # a level that the network can take
    idle[:, 2] = 1.0
    idle[:, 7:9] = row[7:9]
    idle[:, -1] = row[-1]
    return idle
