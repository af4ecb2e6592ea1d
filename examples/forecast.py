"""An LSTM forecasts a noisy sum of sines, the next step from the last 48. It is measured against the naive forecast,
which is the last value. ``--plot FILE`` draws the last steps, ``--short`` trains for one epoch.
"""

import argparse

import numpy as np

import pynn
from pynn.layers import LSTM, Dense

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--plot", metavar="FILE")
parser.add_argument("--short", action="store_true")
arguments = parser.parse_args()

STEPS, NOISE = 48, 0.1
pynn.set_random_seed(1)
time = np.arange(6000)
clean = np.sin(2 * np.pi * time / 24) + 0.6 * np.sin(2 * np.pi * time / 37 + 1) + 0.3 * np.sin(2 * np.pi * time / 7)
series = (clean + NOISE * np.random.normal(size=len(time))).astype("float32")[:, None]


def windows(begin, end):
    """The windows of a part of the series, each with the value that follows; none is copied."""
    part = series[begin:end]
    return pynn.utils.timeseries_dataset_from_array(part[:-STEPS], part[STEPS:], sequence_length=STEPS)


train, test = windows(0, 5000), windows(5000, 6000)
model = pynn.Sequential([pynn.Input((STEPS, 1)), LSTM(32), Dense(1)])
model.summary()
model.compile(pynn.optimizers.Adam(0.005), "mse")
model.fit(train.x, train.y, epochs=1 if arguments.short else 15, validation_data=(test.x, test.y), verbose=2)

forecast, naive = model.predict(test.x, verbose=0), test.x[:, -1]
for name, values in {"naive": naive, "LSTM": forecast}.items():
    print(f"Root mean squared error, {name}: {np.sqrt(np.mean((values - test.y) ** 2)):.3f}")
print(f"No forecast can be better than the noise: {NOISE:.3f}")

if arguments.plot:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 3.5), layout="constrained")
    axes.plot(test.y[-150:], color="0.6", linewidth=4, label="what came")
    axes.plot(naive[-150:], linestyle=":", label="naive forecast")
    axes.plot(forecast[-150:], label="LSTM")
    axes.set(xlabel="step", ylabel="value", title="The next value, forecast from the last 48")
    axes.legend(ncols=3, loc="lower left")
    axes.margins(x=0.01)
    axes.set_ylim(top=None, bottom=float(test.y[-150:].min()) - 0.7)  # room for the legend
    figure.savefig(arguments.plot, dpi=120)
    print(f"Drawn in {arguments.plot}")
