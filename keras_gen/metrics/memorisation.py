"""Whether samples are copies of training images."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors


class PixelNeighbours:
    """Find the training images nearest to samples, and count copies.

    Distances are between the first 64 principal components of the pixels.
    Fresh images of the same kind lie at some distance from the training set:
    the 0.1 % quantile of the test images' distances to it is the threshold
    below which a sample counts as a copy, so that a perfect model scores
    about 0.1 %. A model that draws nothing alike scores 0 as well: read it
    beside a distance. No such score is reliable in general; look at the pairs.

    Args:
        train: Array `(n, ...)`, all training images.
        test: Array `(m, ...)`, images the model has not seen.
        components: Integer, principal components to compare.
    """

    def __init__(self, train, test, components=64):
        train, test = _flat("train", train), _flat("test", test)
        components = min(components, *train.shape)
        self._pca = PCA(components, random_state=0).fit(train)
        self._train = NearestNeighbors(n_neighbors=1, algorithm="brute")
        self._train.fit(self._pca.transform(train))
        distances, _ = self.nearest(test)
        self.threshold = float(np.quantile(distances, 0.001))

    def nearest(self, images):
        """Return distance to and index of the nearest training image.

        Args:
            images: Array `(n, ...)`.

        Returns:
            Two arrays `(n,)`.
        """
        components = self._pca.transform(_flat("images", images))
        distances, indices = self._train.kneighbors(components)
        return distances[:, 0], indices[:, 0]

    def share_of_copies(self, images):
        """Return the share of `images` nearer than the threshold."""
        distances, _ = self.nearest(images)
        return float((distances < self.threshold).mean())


def _flat(name, images):
    images = np.asarray(images, "float64")
    if images.ndim < 2 or len(images) < 2:
        raise ValueError(
            f"`{name}` must hold at least 2 images. "
            f"Received: shape={images.shape}"
        )
    if not np.isfinite(images).all():
        raise ValueError(f"`{name}` must be finite. Received NaN or infinity")
    return images.reshape(len(images), -1)
