"""Whether samples are copies of training images."""

import numpy as np
from scipy.stats import ranksums
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from keras_gen.metrics.checks import as_images


class PixelNeighbours:
    """Find the real images nearest to samples, and count copies.

    Distances are between the first 64 principal components of the pixels.
    Fresh images of the same kind lie at some distance from the training set:
    the 0.1 % quantile of the test images' distances to it is the threshold
    below which a sample counts as a copy, so that a perfect model scores
    about 0.1 %, or one in the number of test images where these are few. Test
    images that are themselves in the training set set no threshold. A model
    that draws nothing alike scores 0 as well: read it beside a distance. No
    such score is reliable in general; look at the pairs.

    Args:
        train: Array `(n, ...)`, all training images.
        test: Array `(m, ...)`, images the model has not seen.
        components: Integer, principal components to compare.
    """

    def __init__(self, train, test, components=64):
        self._shape = np.shape(train)[1:]
        if min(len(train), len(test)) < 2:
            raise ValueError(
                "`train` and `test` must hold at least 2 images each. "
                f"Received: {len(train)} and {len(test)}"
            )
        self._pca = principal_components(self._flat("train", train), components)
        self._train_points = self._points("train", train)
        self._train = _index(self._train_points)
        self._test = _index(self._points("test", test))
        self._test_distances, _ = self.nearest(test)
        size = np.sqrt((self._train_points**2).sum(axis=1).mean())
        fresh = self._test_distances > 1e-4 * size  # more than rounding
        if not fresh.any():
            raise ValueError(
                "Every test image is also a training image, so there is no "
                "distance to tell copies by."
            )
        self.threshold = float(np.quantile(self._test_distances[fresh], 0.001))

    def nearest(self, images, among="train"):
        """Return distance to and index of the nearest real image.

        Args:
            images: Array `(n, ...)`.
            among: `"train"` or `"test"`.

        Returns:
            Two arrays `(n,)`.
        """
        index = self._train if among == "train" else self._test
        points = self._points("images", images)
        distances, indices = index.kneighbors(points, n_neighbors=1)
        return distances[:, 0], indices[:, 0]

    def copies(self, images):
        """Return three views of how near `images` are to the training set.

        Args:
            images: Array `(n, ...)`.

        Returns:
            Dict of floats: `share`, the share nearer than the threshold; `z`,
            the rank-sum statistic of their distances against those of the
            test images, far below 0 for copies (Meehan et al., 2020,
            arXiv:2004.05675); `authentic`, the share farther from their
            nearest training image than that is from its own nearest one
            (Alaa et al., 2021, arXiv:2102.08921), about 0.6 for fresh MNIST
            images and 0 for copies.
        """
        distances, indices = self.nearest(images)
        hit, back = np.unique(indices, return_inverse=True)
        # Of two neighbours the first is the training image itself.
        own, _ = self._train.kneighbors(self._train_points[hit], n_neighbors=2)
        return {
            "share": float((distances < self.threshold).mean()),
            "z": float(ranksums(distances, self._test_distances).statistic),
            "authentic": float((distances > own[back, 1]).mean()),
        }

    def _points(self, name, images):
        return self._pca.transform(self._flat(name, images))

    def _flat(self, name, images):
        """Return images, or points, of the shape of those in training."""
        images = np.asarray(images, "float32")
        if images.ndim < 2 or images.shape[1:] != self._shape:
            raise ValueError(
                f"`{name}` must have the shape (n, ...), as the training "
                f"images do: (n, {str(self._shape)[1:-1]}). "
                f"Received: shape={images.shape}"
            )
        if images.ndim == 4:
            as_images(name, images)
        elif not np.isfinite(images).all():
            raise ValueError(
                f"`{name}` must be finite. Received NaN or infinity"
            )
        return images.reshape(len(images), -1)


def principal_components(images, components):
    """Fit a PCA to flat images `(n, d)`.

    Of up to 1,024 pixels exactly, from the covariance; of more by a randomised
    method on 10,000 of the images, as time and memory of the exact ones grow
    with the cube and the square of the pixels.
    """
    components = min(components, *images.shape)
    if images.shape[1] <= 1024:
        return PCA(components, svd_solver="covariance_eigh").fit(images)
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(images))[:10_000]
    pca = PCA(components, svd_solver="randomized", random_state=0)
    return pca.fit(images[np.sort(rows)])


def _index(points):
    return NearestNeighbors(algorithm="brute").fit(points)
