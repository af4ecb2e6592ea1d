"""A perceptron learns AND by Rosenblatt's rule; XOR takes a hidden layer; a linear unit fits a line."""

import numpy as np

import pynn
from pynn.layers import Dense

pynn.set_random_seed(1)
x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])

perceptron = pynn.Sequential([pynn.Input((2,)), Dense(1, activation="step", kernel_initializer="zeros")])
perceptron.compile(optimizer=pynn.optimizers.SGD(learning_rate=1.0), loss="perceptron", metrics=["accuracy"])
perceptron.fit(x, [0, 0, 0, 1], batch_size=1, epochs=20, verbose=0)
print("AND:", perceptron.predict(x, verbose=0).ravel())

network = pynn.Sequential([pynn.Input((2,)), Dense(8, activation="tanh"), Dense(1, activation="sigmoid")])
network.compile(optimizer=pynn.optimizers.Adam(learning_rate=0.05), loss="binary_crossentropy")
network.fit(x, [0, 1, 1, 0], batch_size="full", epochs=500, verbose=0)
print("XOR:", (network.predict(x, verbose=0).ravel() > 0.5).astype(int))

points = np.linspace(-1, 1, 50)[:, None]
line = pynn.Sequential([pynn.Input((1,)), Dense(1)])
line.compile(optimizer=pynn.optimizers.SGD(learning_rate=0.1), loss="mse")
line.fit(points, 3 * points + 2, batch_size="full", epochs=500, verbose=0)
kernel, bias = line.get_weights()
print(f"Line: {kernel.item():.4f} x + {bias.item():.4f}")
