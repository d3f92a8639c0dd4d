// The tests' own static program for containers: what busybox has no applet for.
//
//   init udp-echo PORT    answers every datagram with itself
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int udp_echo(int port) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  if (fd < 0 || bind(fd, (struct sockaddr*)&address, sizeof address) < 0) {
    perror("udp-echo");
    return 1;
  }
  for (;;) {
    char data[2048];
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    ssize_t n = recvfrom(fd, data, sizeof data, 0, (struct sockaddr*)&peer, &size);
    if (n >= 0) (void)sendto(fd, data, (size_t)n, 0, (struct sockaddr*)&peer, size);
  }
}

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "udp-echo") == 0) return udp_echo(atoi(argv[2]));
  fprintf(stderr, "usage: init udp-echo PORT\n");
  return 2;
}
