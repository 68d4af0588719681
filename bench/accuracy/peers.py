"""Other detectors on the rows that the default models get: scikit-learn's and PyOD's, with their own settings.

    python peers.py FOLDER

FOLDER holds train.f32, test.f32 (rows x features, float32) and anomalous.u8 (one byte a test row). Prints one line of
JSON a detector. Values are put into deviations from the mean of training and cut at 20, which all of these but the
forest need; columns that never vary in training are left out.
"""
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from pyod.models.cblof import CBLOF
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD
from pyod.models.hbos import HBOS
from pyod.models.knn import KNN
from pyod.models.pca import PCA as PyodPCA
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM

warnings.filterwarnings("ignore")

# What compares rows with each other takes time that grows with their square: it is trained on so many rows, drawn at random.
FEW_ROWS = 15_000


class Reconstruction:
    """Principal components of 90 % of the variance: the score is what they leave out."""

    def fit(self, rows):
        self.pca = PCA(0.9, svd_solver="full").fit(rows)

    def decision_function(self, rows):
        return -np.square(rows - self.pca.inverse_transform(self.pca.transform(rows))).sum(1)


# name: (detector, takes few rows, the sign that makes its scores rise with what is unusual, looks at all rows at once)
DETECTORS = {
    "scikit-learn IsolationForest": (lambda: IsolationForest(random_state=1), False, -1, False),
    "scikit-learn LocalOutlierFactor": (lambda: LocalOutlierFactor(novelty=True), True, -1, False),
    "scikit-learn OneClassSVM": (lambda: OneClassSVM(), True, -1, False),
    "scikit-learn PCA, reconstruction": (lambda: Reconstruction(), False, -1, False),
    "PyOD ECOD": (lambda: ECOD(), False, 1, True),
    "PyOD COPOD": (lambda: COPOD(), False, 1, True),
    "PyOD HBOS": (lambda: HBOS(), False, 1, False),
    "PyOD KNN": (lambda: KNN(), True, 1, False),
    "PyOD CBLOF": (lambda: CBLOF(random_state=1), False, 1, False),
    "PyOD PCA": (lambda: PyodPCA(random_state=1), False, 1, False),
}


def read(folder):
    shape = json.loads((folder / "shape.json").read_text())
    train, test = (np.fromfile(folder / f"{name}.f32", np.float32).reshape(-1, shape["features"]) for name in ("train", "test"))
    mean, spread = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64)
    varies = spread > 0
    scaled = [np.clip((rows[:, varies] - mean[varies]) / spread[varies], -20, 20) for rows in (train, test)]
    return *scaled, np.fromfile(folder / "anomalous.u8", np.uint8)


def main(folder):
    train, test, anomalous = read(folder)
    # Most rows of the KDD tables are there many times: what judges each row by itself need not judge it again.
    distinct, place = np.unique(test, axis=0, return_inverse=True)
    for name, (make, takes_few, sign, together) in DETECTORS.items():
        started = time.perf_counter()
        rows = train
        if takes_few and len(train) > FEW_ROWS:
            rows = train[np.random.default_rng(1).choice(len(train), FEW_ROWS, replace=False)]
        result = {"detector": name, "rows": len(rows)}
        try:
            detector = make()
            detector.fit(rows)
            scores = detector.decision_function(test) if together else detector.decision_function(distinct)[place.ravel()]
            scores = np.nan_to_num(sign * scores, nan=0, posinf=1e300, neginf=-1e300)
            result |= {"auroc": roc_auc_score(anomalous, scores), "auprc": average_precision_score(anomalous, scores)}
        except Exception as error:
            result["failed"] = str(error)
        print(json.dumps(result | {"seconds": round(time.perf_counter() - started, 1)}), flush=True)


main(Path(sys.argv[1]))
