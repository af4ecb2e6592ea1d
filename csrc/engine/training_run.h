// What a run of training is made of. Private to training.cpp and the files beside it.
#pragma once

#include "trainer.h"
#include "way_back.h"

namespace pynn {

// Sums over a parameter or its gradient are made in chunks; `first` is the number of its first chunk among all.
struct SumChunks {
  int64_t first, count;
};

// What a run settles before its first step. The next run finds it as it is, if it needs the same.
template <typename T>
struct Trainer<T>::Setup {
  // What it is for, beside the routes and the settings of the optimizer.
  int64_t batch = 0;
  bool reduces = false;

  int64_t slice = 1;                  // samples that go through together
  bool any_early = false;             // some parameters are updated as soon as their gradients are there
  std::vector<std::size_t> late{};    // the parameters that are updated at the end of a step
  std::vector<std::size_t> shared{};  // whose gradients several ops add to
  std::vector<int64_t> rows{};        // by parameter: how many, if it is updated by rows, otherwise 0
  std::vector<SumChunks> chunks{};    // by parameter
  std::vector<double> norms{};        // by chunk
  std::vector<double> penalties{};    // by chunk; empty where no parameter has one
  bool constrained = false;
  ParameterUses<T> uses{};
  std::optional<WayBack<T>> way_back{};  // of the workspace
};

// What the members of a team share while they train.
template <typename T>
struct Trainer<T>::Run {
  double* totals;
  Dataset data;
  const Heads<T>* heads;
  const Routes* routes;
  TrainRange range;
  const Hooks<T>& hooks;
  Setup& setup;
  std::vector<T*> outs{};       // by output: where it is handed over to, null for none; empty: none at all
  int64_t batches = 1;          // of an epoch
  int64_t first_iteration = 0;  // of the optimizer
  std::atomic<bool> parameters_finite{true};  // those that meet the samples, when it begins; and all that change
  std::vector<RowSums> batch{};               // by head
  OptimizerStep step{}, undecayed_step{};
  bool finite = true;
  bool ended = false;       // there are no more batches
  int members = 1;          // that there should be
  bool gave_way = false;    // so there is one
  bool pause = false;       // end the region before the next step
  double reduced_loss = 0;  // over several processes
};

}  // namespace pynn
