// sampan-shim: the zygote of all shims, and the shims.

#include "shim/shim.h"

int main(int argc, char** argv) { return sampan::shim::shim_main(argc, argv); }
