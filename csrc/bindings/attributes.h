// The settings of an op, as Python names them.
#pragma once

#include "../engine/attributes.h"
#include "arrays.h"

namespace pynn {

// A dict of bools, ints, floats, texts, and lists or one-dimensional arrays of numbers.
Attributes attributes_of(const py::dict& settings);

}  // namespace pynn
