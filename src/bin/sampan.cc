// The command line.
#include "cli/cli.h"

int main(int argc, char** argv) {
  return sampan::cli::run_main(argc, argv);
}
