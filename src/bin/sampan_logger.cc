// sampan-logger: sends one container's log to a server. Not static: names are resolved as the host resolves them.

#include "logger/logger.h"

int main(int argc, char** argv) {
  return sampan::logger::logger_main(argc, argv);
}
