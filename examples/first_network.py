"""One sigmoid unit, trained by gradient descent on E = 1/2 sum (y - y_hat)^2, as the textbooks do it by hand.

100,000 updates over all five samples at once, in float64.
"""

import time

import numpy as np

import pynn

x = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1], [1, 0, 1]])
y = np.array([0, 1, 1, 0, 1])

pynn.config.set_floatx("float64")
model = pynn.Sequential([pynn.Input((3,)), pynn.layers.Dense(1, activation="sigmoid", use_bias=False)])
model.set_weights([[[-0.165955990594852], [0.4406489868843162], [-0.9997712503653102]]])
model.compile(
    optimizer=pynn.optimizers.SGD(learning_rate=1.0),
    loss=pynn.losses.SumSquaredError(),
)

start = time.perf_counter()
model.fit(x, y, batch_size="full", epochs=100_000, shuffle=False, verbose=0)
print(f"100,000 updates in {time.perf_counter() - start:.2f} s")
print("Weights:", model.get_weights()[0].ravel())
print("Output for [1, 1, 0]:", model.predict([[1, 1, 0]], verbose=0).item())
