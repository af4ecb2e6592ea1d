// Checks every kernel against plain loops in double, or those of the families that are named as arguments. Prints what
// is wrong; the exit status is 1 if anything is.
#include "check.h"

int main(int count, char** arguments) {
  using namespace pynn;
  return run_families({{"attention", check_attention},
                       {"columns", check_columns},
                       {"convolutions", check_convolutions},
                       {"functions", check_functions},
                       {"losses", check_losses},
                       {"masks", check_masks},
                       {"merge", check_merge},
                       {"optimizers", check_optimizers},
                       {"products", check_products},
                       {"noise", check_noise},
                       {"recurrent", check_recurrent},
                       {"regular", check_regular},
                       {"windows", check_windows},
                       {"runtime", check_runtime},
                       {"polling", check_polling, true}},
                      count, arguments);
}
