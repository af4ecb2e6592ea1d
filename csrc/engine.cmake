# The engine, for the extension and for tests/native: engine_sources.

set(engine_sources
  attributes.cpp
  dataset.cpp
  graph.cpp
  heads.cpp
  inference.cpp
  names.cpp
  ops/custom.cpp
  ops/dense.cpp
  ops/elementwise.cpp
  ops/noise.cpp
  ops/norm.cpp
  ops/resample.cpp
  ops/windows.cpp
  optimizer.cpp
  parameters.cpp
  plan.cpp
  registry.cpp
  routes.cpp
  shapes.cpp
  trainer.cpp
  training.cpp
  update.cpp)
list(TRANSFORM engine_sources PREPEND "${CMAKE_CURRENT_LIST_DIR}/engine/")
