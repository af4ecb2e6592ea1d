// An enumeration and the names of its values, from one list: neither can have what the other has not, nor its own
// order.
//
//   #define PYNN_FRUITS(X) X(apple) X(pear)
//   PYNN_ENUMERATION(Fruit, PYNN_FRUITS)
//
// makes `enum class Fruit : int { apple, pear, count }` and `kFruitNames`, {"apple", "pear"}.
#pragma once

#define PYNN_ENUMERATOR(name) name,
#define PYNN_ENUMERATOR_NAME(name) #name,

#define PYNN_ENUMERATION(Enum, list)                     \
  enum class Enum : int { list(PYNN_ENUMERATOR) count }; \
  constexpr const char* k##Enum##Names[] = {list(PYNN_ENUMERATOR_NAME)};
