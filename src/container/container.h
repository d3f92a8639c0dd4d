#pragma once
// container: what a container is: asked for (spec.h), existing (record.h), and the pure functions between them.
//
// Vocabulary: a ContainerSpec is what a client sent; make_record() merges it with its image; make_runtime_spec() turns
// a record and facts about the host into an oci::Spec; lifecycle.h holds the state machine. No I/O in this module but
// container/files.h, which writes hostname, hosts and resolv.conf.

#include "container/record.h"
#include "container/spec.h"
