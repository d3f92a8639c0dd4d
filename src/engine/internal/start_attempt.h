#pragma once
// engine/internal/start_attempt: what one start of a container has made so far; what is in it is taken back when a
// later step fails.

#include "container/explain.h"
#include "engine/internal/core.h"

namespace sampan::engine {

struct StartAttempt {
  CellPtr cell;
  ContainerRecord record;
  std::vector<oci::Mount> mounts;
  container::RuntimeFacts facts;
  shim::Zygote::Netns netns;  // invalid for host and container: modes
  std::vector<network::Endpoint> endpoints;
  shim::StartRequest request;
  std::shared_ptr<shim::ShimConnection> connection;
  shim::Started started;
  container::FailedStep failed;  // of the step that did not succeed
  std::string restore_images;    // of the checkpoint that it goes on from; "": none
  std::string released_at;       // before its program ran: it may have ended before its start was answered
};

}  // namespace sampan::engine
