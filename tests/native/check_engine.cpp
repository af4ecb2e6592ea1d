// Checks the engine without Python, or the families that are named as arguments: gradients against central differences,
// outputs against plain loops, everything bit for bit on teams of 1, 2, 3 and 7 members. Prints what is wrong; the exit
// status is 1 if anything is.
#include "engine_net.h"

int main(int count, char** arguments) {
  using namespace pynn;
  return run_families({{"branches", check_branches},
                       {"alone", check_alone},
                       {"blocks", check_blocks},
                       {"merges", check_merges},
                       {"fusion", check_fusion},
                       {"sharing", check_sharing},
                       {"heads", check_heads},
                       {"gradients", check_gradients},
                       {"inputs", check_inputs},
                       {"hooks", check_hooks},
                       {"locks", check_locks},
                       {"refusals", check_refusals},
                       {"state", check_state}},
                      count, arguments);
}
