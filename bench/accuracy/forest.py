"""A forest of scikit-learn's as skl2onnx writes it, and as the arrays of its trees.

    python forest.py FOLDER

FOLDER holds train.f32 and shape.json; sklearn.onnx is written there. Prints one line of JSON: the trees (a leaf's path
length is its depth plus c(rows in it)), the normalizer c(rows a tree was grown on), and the scores of the first 64 rows.
"""
import json
import sys
from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._iforest import _average_path_length

folder = Path(sys.argv[1])
features = json.loads((folder / "shape.json").read_text())["features"]
rows = np.fromfile(folder / "train.f32", np.float32).reshape(-1, features)
forest = IsolationForest(n_estimators=100, max_samples=256, random_state=1).fit(rows)
onnx = to_onnx(forest, rows[:1], target_opset={"": 17, "ai.onnx.ml": 3}, options={"score_samples": True})
(folder / "sklearn.onnx").write_bytes(onnx.SerializeToString())


def tree_of(estimator):
    tree = estimator.tree_
    depth = np.zeros(tree.node_count)
    for node in range(tree.node_count):
        if tree.children_left[node] >= 0:
            depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1
    return {
        "feature": np.where(tree.children_left < 0, -1, tree.feature).tolist(),
        "threshold": tree.threshold.tolist(),
        "left": np.maximum(tree.children_left, 0).tolist(),
        "right": np.maximum(tree.children_right, 0).tolist(),
        "pathLength": (depth + _average_path_length(tree.n_node_samples)).tolist(),
    }


print(
    json.dumps(
        {
            "trees": [tree_of(each) for each in forest.estimators_],
            "normalizer": float(_average_path_length([256])[0]),
            "nodes": len(onnx.graph.node),
            "scores": (-forest.score_samples(rows[:64])).tolist(),
        }
    )
)
