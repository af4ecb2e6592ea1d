"""REINFORCE (Williams, 1992): a policy learns to balance a pole on a cart, whose mechanics are written here in NumPy.

The loss, -sum(log pi(action | state) * return), has the gradient -(onehot(action) - pi) * return for the logits. So
`model.vjp` gives the gradients of the weights, and `optimizer.apply` makes a step with them.
"""

import numpy as np

import pynn
from pynn.layers import Dense

GRAVITY, CART, POLE, HALF, FORCE, SECONDS = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
EPISODES, MOST_STEPS, DISCOUNT = 16, 200, 0.99  # at once


def move(state, action):
    """Carts (n, 4) of position, speed, angle and angular speed, `SECONDS` later: pushed left (0) or right (1)."""
    _, speed, angle, turning = state.T
    sine, cosine = np.sin(angle), np.cos(angle)
    push = (np.where(action == 1, FORCE, -FORCE) + POLE * HALF * turning**2 * sine) / (CART + POLE)
    faster = (GRAVITY * sine - cosine * push) / (HALF * (4 / 3 - POLE * cosine**2 / (CART + POLE)))
    speeding = push - POLE * HALF * faster * cosine / (CART + POLE)
    return state + SECONDS * np.stack([speed, speeding, turning, faster], axis=1)


def play(policy, random):
    """Episodes side by side: states and actions (steps, episodes), and which of the episodes still ran at each step."""
    state = random.uniform(-0.05, 0.05, (EPISODES, 4))
    running, states, actions, alive = np.ones(EPISODES, bool), [], [], []
    for _ in range(MOST_STEPS):
        left, right = policy(state).T  # logits
        action = (random.random(EPISODES) < 1 / (1 + np.exp(left - right))).astype(int)
        states.append(state)
        actions.append(action)
        alive.append(running)
        state = move(state, action)
        running = running & (np.abs(state[:, 0]) < 2.4) & (np.abs(state[:, 2]) < 0.21)
        if not running.any():
            break
    return np.array(states), np.array(actions), np.array(alive)


pynn.set_random_seed(1)
random = np.random.default_rng(1)
policy = pynn.Sequential([pynn.Input((4,)), Dense(16, activation="tanh"), Dense(2)])
optimizer = pynn.optimizers.Adam(0.02)
for update in range(60):
    states, actions, alive = play(policy, random)
    returns = np.zeros(alive.shape)
    for step in reversed(range(len(alive))):
        returns[step] = alive[step] + (DISCOUNT * returns[step + 1] if step + 1 < len(alive) else 0)
    advantage = (returns - returns[alive].mean()) / (returns[alive].std() + 1e-9)

    x, chosen = states[alive], np.eye(2)[actions[alive]]
    logits = policy(x)
    chances = np.exp(logits - logits.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    slopes, _ = policy.vjp(x, (chances - chosen) * advantage[alive][:, None] / len(x))
    optimizer.apply(slopes, policy.trainable_weights)
    if update % 10 == 0:
        print(f"Update {update:2}: {alive.sum() / EPISODES:.0f} steps an episode")
lengths = play(policy, np.random.default_rng(2))[2].sum(0)
print(f"After training: {lengths.mean():.0f} steps an episode")
