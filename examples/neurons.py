"""Networks small enough to check by hand: a neuron, 3-2-1 and 2-2-1, with given weights."""

import numpy as np

import pynn
from pynn.layers import Dense

neuron = pynn.Sequential([pynn.Input((2,)), Dense(1, activation="relu")])
neuron.set_weights([[[-0.5], [2.0]], [1.0]])
print("Neuron: relu(-0.5 * 10 + 2 * 1 + 1) =", neuron.predict([[10.0, 1.0]], verbose=0).item())

# Textbooks write a unit's weights as a row, Keras as a column.
rows = np.array([[-0.5, 1.0, 0.5], [-1.0, 0.5, 0.5]])
model = pynn.Sequential([pynn.Input((3,)), Dense(2, activation="relu"), Dense(1, activation="sigmoid")])
model.set_weights([rows.T, [0.0, 1.0], [[0.8], [-0.5]], [0.2]])
x = np.array([[10.0, 1.0, 1.0]])
print("3-2-1: hidden sums", (x @ rows.T + [0.0, 1.0])[0], "output", model.predict(x, verbose=0).item())
print("3-2-1: parameters", model.count_params())

model = pynn.Sequential([pynn.Input((2,)), Dense(2, activation="sigmoid"), Dense(1, activation="sigmoid")])
model.set_weights([np.full((2, 2), 0.5), np.zeros(2), np.full((2, 1), 0.5), np.zeros(1)])
print("2-2-1, all weights 0.5:", model.predict([[0, 0], [0, 1], [1, 0], [1, 1]], verbose=0).ravel())
