# The engine, for the extension and for tests/native: engine_sources.

file(GLOB engine_sources CONFIGURE_DEPENDS
  "${CMAKE_CURRENT_LIST_DIR}/engine/*.cpp"
  "${CMAKE_CURRENT_LIST_DIR}/engine/ops/*.cpp")
