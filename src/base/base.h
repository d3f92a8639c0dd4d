#pragma once
// base: values that every layer shares: results and errors, identifiers, cancellation, byte streams, strings.
//
// Pure: no I/O, no clock, no threads of its own. See result.h for the error rule that the whole tree follows.

#include "base/cancel.h"
#include "base/ids.h"
#include "base/io.h"
#include "base/result.h"
#include "base/strings.h"
