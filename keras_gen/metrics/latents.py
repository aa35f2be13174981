"""Measures of codes: how many are in use, and what each stands for.

`codes` are float arrays `(n, latent_dim)`, `factors` integer arrays
`(n, num_factors)`: the truth that the images were made from.
"""

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import mutual_info_score
from sklearn.svm import LinearSVC


def active_units(codes, threshold=0.01):
    """Return how many latents say anything about the image.

        |{j : Var_x(E[z_j|x]) > threshold}|

    Args:
        codes: Posterior means of many images, `model.encode(x)`.
        threshold: Float.

    Returns:
        Integer.

    Raises:
        ValueError: If codes are not finite.

    Reference:
        Burda et al., Importance Weighted Autoencoders, 2015,
        arXiv:1509.00519.
    """
    variances = np.var(codes, axis=0)
    if not np.isfinite(variances).all():
        raise ValueError("`codes` hold NaN or infinite values.")
    return int((variances > threshold).sum())


def mutual_information_gap(codes, factors, bins=20):
    """Return the MIG: does one latent alone know each factor?

        mean_k (I(z_a; v_k) - I(z_b; v_k)) / H(v_k)

    with a and b the latents that know most of factor k, in `bins` intervals
    of equal width. 1 if one latent knows all of a factor and no other any.

    Reference:
        Chen et al., Isolating Sources of Disentanglement in VAEs, 2018,
        arXiv:1802.04942.
    """
    codes, factors = _check(codes, factors)
    binned = [
        np.digitize(z, np.histogram_bin_edges(z, bins)[1:-1]) for z in codes.T
    ]
    gaps = []
    for v in factors.T:
        known = sorted(mutual_info_score(z, v) for z in binned)
        gaps.append((known[-1] - known[-2]) / mutual_info_score(v, v))
    return float(np.mean(gaps))


def separated_attribute_predictability(codes, factors, seed=0):
    """Return the SAP: is one latent alone the best to predict each factor?

        mean_k (S_ka - S_kb)

    with S_kj the accuracy, on the held-out half, of a linear classifier of
    factor k from latent j, and a and b the two best.

    Reference:
        Kumar et al., Variational Inference of Disentangled Latent Concepts
        from Unlabeled Observations, 2018, arXiv:1711.00848.
    """
    codes, factors = _check(codes, factors)
    scale = codes.std(axis=0)
    codes = (codes - codes.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    train, test = _halves(factors, seed)
    gaps = []
    for v in factors.T:
        scores = []
        for z in codes.T[:, :, None]:
            svm = LinearSVC(C=0.01, class_weight="balanced", random_state=seed)
            svm.fit(z[train], v[train])
            scores.append(svm.score(z[test], v[test]))
        scores.sort()
        gaps.append(scores[-1] - scores[-2])
    return float(np.mean(gaps))


def disentanglement_completeness_informativeness(codes, factors, seed=0):
    """Return the three DCI scores.

        R_jk            importance of latent j to a random forest for factor k
        disentanglement sum_j w_j (1 - H_K(R_j. / sum_k R_jk)),
                        w_j = sum_k R_jk / sum R
        completeness    mean_k (1 - H_D(R_.k / sum_j R_jk))
        informativeness mean_k of the accuracy on the held-out half

    with H_K the entropy to the base of the number of factors, H_D to that of
    latents.

    Returns:
        Dict with the three names.

    Reference:
        Eastwood and Williams, A Framework for the Quantitative Evaluation of
        Disentangled Representations, 2018.
    """
    codes, factors = _check(codes, factors)
    train, test = _halves(factors, seed)
    importance, accuracy = [], []
    for v in factors.T:
        forest = RandomForestClassifier(50, random_state=seed)
        forest.fit(codes[train], v[train])
        importance.append(forest.feature_importances_)
        accuracy.append(forest.score(codes[test], v[test]))
    r = np.array(importance).T  # (latents, factors)
    weights = r.sum(axis=1) / r.sum()
    return {
        "disentanglement": float(weights @ (1 - _entropy(r))),
        "completeness": float(np.mean(1 - _entropy(r.T))),
        "informativeness": float(np.mean(accuracy)),
    }


def _entropy(rows):
    """Return the entropy of each row, normalised, to the base of its length."""
    p = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1e-12)
    if p.shape[1] == 1:
        return np.zeros(len(p))
    terms = np.where(p > 0, p * np.log(np.maximum(p, 1e-300)), 0.0)
    return -terms.sum(axis=1) / np.log(p.shape[1])


def _halves(factors, seed):
    n = len(factors)
    order = np.random.default_rng(seed).permutation(n)
    train, test = order[: n // 2], order[n // 2 :]
    if (factors[train] == factors[train][:1]).all(axis=0).any():
        raise ValueError(
            "A factor takes one value only in the half to learn from. Pass "
            f"more samples, or leave it out. Received: {n} samples"
        )
    return train, test


def _check(codes, factors):
    codes, factors = np.asarray(codes, "float64"), np.asarray(factors)
    if factors.ndim == 1:
        factors = factors[:, None]
    if codes.ndim != 2 or len(codes) != len(factors) or codes.shape[1] < 2:
        raise ValueError(
            "`codes` must be (n, latent_dim) with at least 2 latents, "
            "`factors` (n, num_factors). Received: shapes "
            f"{codes.shape} and {factors.shape}"
        )
    if factors.dtype.kind not in "iu":
        raise ValueError(
            "`factors` must be integers. Put continuous ones into bins. "
            f"Received: dtype {factors.dtype}"
        )
    if not np.isfinite(codes).all():
        raise ValueError("`codes` hold NaN or infinite values.")
    if (factors == factors[:1]).all(axis=0).any():
        raise ValueError("Each of `factors` must take two values at least.")
    if (codes == codes[:1]).all():
        raise ValueError(
            "`codes` are the same for all images, so none of them says "
            "anything about a factor."
        )
    return codes, factors
