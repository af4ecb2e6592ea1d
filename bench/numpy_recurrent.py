"""Keras's recurrent layers in plain NumPy, forward and backward through time."""

from __future__ import annotations

import numpy as np
from networks import Shape
from numpy_layers import Array, Stage, glorot, sigmoid


class RecurrentStage(Stage):
    """A state that each step of a sequence (batch, steps, features) changes, through `gates` blocks of columns.

    The kinds say in `forward_step` how a step's products, of input and state, change the state, and in `backward_step`
    how gradients come back. The products with the input, and the gradients of all weights, are made for all steps at
    once. What is kept has the steps first, so that those of a step lie together.
    """

    gates = 1
    bias_rows: Shape = ()

    def __init__(self, features: int, units: int, return_sequences: bool) -> None:
        self.units, self.return_sequences = units, return_sequences
        columns = self.gates * units
        self.shapes = ((features, columns), (units, columns), (*self.bias_rows, columns))
        self.blocks = [slice(i, i + units) for i in range(0, columns, units)]

    def initial(self, random: np.random.Generator) -> list[Array]:
        kernel, state_kernel, bias = self.shapes
        orthogonal, upper = np.linalg.qr(random.standard_normal(state_kernel[::-1]))
        orthogonal *= np.sign(np.diag(upper))
        return [glorot(kernel, random), orthogonal.T.astype(np.float32), np.zeros(bias, np.float32)]

    def use(self, weights: list[Array], gradients: list[Array]) -> None:
        self.kernel, self.state_kernel, self.bias = weights
        self.dkernel, self.dstate_kernel, self.dbias = gradients

    def forward(self, x: Array) -> Array:
        batch, steps, features = x.shape
        self.x = np.ascontiguousarray(x.swapaxes(0, 1)).reshape(steps * batch, features)
        z = self.x @ self.kernel
        z += self.input_bias()
        self.z = z.reshape(steps, batch, -1)  # the products at first, and then the gates
        self.states = np.zeros((steps + 1, batch, self.units), x.dtype)
        self.start(steps, batch)
        for step in range(steps):
            self.forward_step(step, self.states[step], self.states[step + 1])
        return self.states[1:].swapaxes(0, 1) if self.return_sequences else self.states[-1].copy()

    def backward(self, dy: Array, need_dx: bool) -> Array:
        steps, batch, columns = self.z.shape
        self.dz = np.empty_like(self.z)
        dh = np.zeros((batch, self.units), dy.dtype) if self.return_sequences else dy
        for step in range(steps - 1, -1, -1):
            if self.return_sequences:
                dh = dh + dy[:, step]
            dh = self.backward_step(step, dh)
        dz = self.dz.reshape(steps * batch, columns)
        np.matmul(self.x.T, dz, out=self.dkernel)
        self.backward_weights(self.states[:-1].reshape(-1, self.units), dz)
        if not need_dx:
            return dy
        return (dz @ self.kernel.T).reshape(steps, batch, -1).swapaxes(0, 1)

    def input_bias(self) -> Array:
        """What is added to the products with the input."""
        return self.bias

    def backward_weights(self, states: Array, dz: Array) -> None:
        """The gradients of the state's kernel and of the bias."""
        np.matmul(states.T, dz, out=self.dstate_kernel)
        dz.sum(axis=0, out=self.dbias)

    def start(self, steps: int, batch: int) -> None:
        """Room for what a kind keeps of the steps."""

    def forward_step(self, step: int, h: Array, new_h: Array) -> None:
        """The new state, from the old one and the step's products; `z[step]` becomes what `backward_step` needs."""
        raise NotImplementedError

    def backward_step(self, step: int, dh: Array) -> Array:
        """The gradient of the old state, from that of the new one; that of the step's products goes to `dz`."""
        raise NotImplementedError


class SimpleRNN(RecurrentStage):
    """``h = tanh(x @ kernel + h @ state_kernel + bias)``."""

    def forward_step(self, step: int, h: Array, new_h: Array) -> None:
        z = self.z[step]
        z += h @ self.state_kernel
        np.tanh(z, out=new_h)

    def backward_step(self, step: int, dh: Array) -> Array:
        h, dz = self.states[step + 1], self.dz[step]
        np.multiply(h, h, out=dz)
        np.subtract(1, dz, out=dz)
        dz *= dh
        return dz @ self.state_kernel.T


class LSTM(RecurrentStage):
    """``c = f * c + i * g``, ``h = o * tanh(c)``: i, f and o are sigmoids of their products, g is a tanh."""

    gates = 4

    def initial(self, random: np.random.Generator) -> list[Array]:
        *kernels, bias = super().initial(random)
        bias[self.blocks[1]] = 1  # the LSTM forgets little at first
        return [*kernels, bias]

    def start(self, steps: int, batch: int) -> None:
        self.cells = np.zeros((steps + 1, batch, self.units), self.z.dtype)
        self.tanh_cells = np.empty((steps, batch, self.units), self.z.dtype)
        self.dc = np.zeros((batch, self.units), self.z.dtype)

    def forward_step(self, step: int, h: Array, new_h: Array) -> None:
        z, new_c = self.z[step], self.cells[step + 1]
        z += h @ self.state_kernel
        i, f, g, o = (z[:, block] for block in self.blocks)
        sigmoid(z[:, : 2 * self.units])
        np.tanh(g, out=g)
        sigmoid(o)
        np.multiply(f, self.cells[step], out=new_c)
        new_c += i * g
        np.tanh(new_c, out=self.tanh_cells[step])
        np.multiply(o, self.tanh_cells[step], out=new_h)

    def backward_step(self, step: int, dh: Array) -> Array:
        i, f, g, o = (self.z[step][:, block] for block in self.blocks)
        di, df, dg, do = (self.dz[step][:, block] for block in self.blocks)
        tanh_c, dc = self.tanh_cells[step], self.dc
        dc += dh * o * (1 - tanh_c * tanh_c)
        np.multiply(dc * g, i * (1 - i), out=di)
        np.multiply(dc * self.cells[step], f * (1 - f), out=df)
        np.multiply(dc * i, 1 - g * g, out=dg)
        np.multiply(dh * tanh_c, o * (1 - o), out=do)
        dc *= f
        return self.dz[step] @ self.state_kernel.T


class GRU(RecurrentStage):
    """``h = u * h + (1 - u) * g`` with ``g = tanh(x's product + r * h's product)``; u and r are sigmoids.

    The products with input and state have a bias each.
    """

    gates = 3
    bias_rows = (2,)

    def input_bias(self) -> Array:
        return self.bias[0]

    def start(self, steps: int, batch: int) -> None:
        self.of_state = np.empty((steps, batch, self.units), self.z.dtype)  # h's product, which r multiplies
        self.dstate = np.empty_like(self.z)  # the gradient of all of h's products

    def forward_step(self, step: int, h: Array, new_h: Array) -> None:
        z, products = self.z[step], h @ self.state_kernel
        products += self.bias[1]
        u, r, g = (z[:, block] for block in self.blocks)
        both = z[:, : 2 * self.units]
        both += products[:, : 2 * self.units]
        sigmoid(both)
        self.of_state[step] = products[:, self.blocks[2]]
        g += r * self.of_state[step]
        np.tanh(g, out=g)
        np.subtract(h, g, out=new_h)
        new_h *= u
        new_h += g

    def backward_step(self, step: int, dh: Array) -> Array:
        u, r, g = (self.z[step][:, block] for block in self.blocks)
        dz, dstate, h = self.dz[step], self.dstate[step], self.states[step]
        du, dr, dg = (dz[:, block] for block in self.blocks)
        np.multiply(dh * (h - g), u * (1 - u), out=du)
        np.multiply(dh * (1 - u), 1 - g * g, out=dg)
        np.multiply(dg * self.of_state[step], r * (1 - r), out=dr)
        dstate[...] = dz
        dstate[:, self.blocks[2]] *= r
        return dstate @ self.state_kernel.T + dh * u

    def backward_weights(self, states: Array, dz: Array) -> None:
        dstate = self.dstate.reshape(dz.shape)
        np.matmul(states.T, dstate, out=self.dstate_kernel)
        dz.sum(axis=0, out=self.dbias[0])
        dstate.sum(axis=0, out=self.dbias[1])
