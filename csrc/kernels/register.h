// How the kernel files of one instruction set enter their functions into the table.
#pragma once

// For the end of a file whose template `fill(Family<T>&)` does it; table.cpp lists all of these.
#define PYNN_DEFINE_REGISTER(file, Family)            \
  void register_##file(Family<float>& k) { fill(k); } \
  void register_##file(Family<double>& k) { fill(k); }
