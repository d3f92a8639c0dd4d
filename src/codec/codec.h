#pragma once
// codec: pure encodings: JSON to described structs and back, hexadecimal, base64, percent-encoding, times, sizes,
// SHA-256.
//
// Everything here reads hostile input and answers InvalidArgument. json.h is heavy and belongs into .cc files only;
// json_style.h, text.h and sha256.h are light.

#include "codec/json_style.h"
#include "codec/sha256.h"
#include "codec/text.h"
