#pragma once
// oci: the specifications of the Open Container Initiative as plain values: runtime configuration, image documents,
// references. Pure; every parser here reads hostile input and answers InvalidArgument, never more.

#include "oci/image.h"
#include "oci/reference.h"
#include "oci/spec.h"
