"""Kill trainings at random moments, resume them, compare with whole runs.

    KERAS_BACKEND=torch python -m tests.kill --kills 10

trains the VAE and the GAN of the test list on digits with a checkpoint every
epoch, sends SIGKILL at random moments, starts again until the run completes,
and compares the final state with that of an uninterrupted run, bit for bit.
"""

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EPOCHS = 60


def child(name, folder):
    """Train to the end, print the digest of the final state."""
    import keras

    import keras_gen as kg
    from keras_gen.callbacks.checkpoint import state_digest
    from tests.cases import CASES

    # Another seed where it goes on: all must come from the checkpoint.
    keras.utils.set_random_seed(12 if any(Path(folder).glob("ckpt-*")) else 11)
    model = CASES[name]()
    history = model.fit(
        kg.data.load("digits", batch_size=256),
        epochs=EPOCHS,
        verbose=0,
        callbacks=[kg.callbacks.Checkpoint(folder)],
    ).history
    curves = hashlib.sha256(repr(sorted(history.items())).encode())
    print(state_digest(model), curves.hexdigest(), flush=True)


def start(name, folder):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.kill", "--child", name, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def newest(folder):
    """Return the epoch of the newest checkpoint."""
    return max((int(p.name[5:]) for p in folder.glob("ckpt-*")), default=0)


def check(name, kills, rng):
    """Return (moments of the kills as epochs, whether the states agree)."""
    with tempfile.TemporaryDirectory() as root:
        whole = start(name, Path(root) / "whole").communicate()[0].strip()
        if not whole:
            raise RuntimeError(f"The uninterrupted run of {name!r} failed.")
        folder, epochs = Path(root) / "killed", []
        folder.mkdir()
        while len(epochs) < kills:
            process = start(name, folder)
            # Let it get some epochs further, then wait a random moment, so
            # that kills fall into training as well as into saving.
            target = newest(folder) + rng.randint(
                1, max(1, EPOCHS // kills // 2)
            )
            while newest(folder) < target and process.poll() is None:
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.15))
            if process.poll() is not None:
                break  # finished before it could be killed
            process.send_signal(signal.SIGKILL)
            process.wait()
            epochs.append(newest(folder))
        resumed = start(name, folder).communicate()[0].strip()
        return epochs, resumed == whole


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=2)
    args = parser.parse_args()
    if args.child:
        return child(*args.child)
    rng = random.Random(args.seed)
    failed = False
    for name in ("vae", "gan"):
        epochs, same = check(name, args.kills, rng)
        failed |= not same
        print(
            f"{os.environ.get('KERAS_BACKEND', 'tensorflow')} {name}: killed "
            f"{len(epochs)} times, after epochs {epochs}; final state and "
            f"history {'bit-identical' if same else 'DIFFER'}",
            flush=True,
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
