"""A network learns a function from its differential equation: y' = -y with y(0) = 1, whose solution is exp(-x).

The slope of the network is taken by central differences, (y(x + h) - y(x - h)) / 2h. So the residual r = y' + y is a
combination of outputs of three batches, and so is the gradient of mean(r^2): `model.vjp` adds it up over the three.
"""

import numpy as np

import pynn
from pynn.layers import Dense

STEP = 1e-2

pynn.set_random_seed(1)
pynn.config.set_floatx("float64")
model = pynn.Sequential([pynn.Input((1,)), Dense(16, activation="tanh"), Dense(16, activation="tanh"), Dense(1)])
optimizer = pynn.optimizers.Adam(0.01)
x = np.linspace(0, 2, 41)[:, None]
places = np.concatenate([x - STEP, x, x + STEP, np.zeros((1, 1))])  # the last is where y is known

for step in range(3001):
    before, here, after, start = np.split(model(places), [len(x), 2 * len(x), 3 * len(x)])
    residual = (after - before) / (2 * STEP) + here
    loss = np.mean(residual**2) + np.mean((start - 1) ** 2)
    slope = 2 * residual / len(x)  # of the loss, for the residual
    dy = np.concatenate([-slope / (2 * STEP), slope, slope / (2 * STEP), 2 * (start - 1)])
    gradients, _ = model.vjp(places, dy)
    optimizer.apply(gradients, model.trainable_weights)
    if step % 1000 == 0:
        print(f"Step {step:4}: loss {loss:.2e}")
print(f"Largest error: {np.abs(model(x) - np.exp(-x)).max():.4f}")
