#pragma once
// sys: system calls as Results: one kernel facility a header, owned descriptors that are close-on-exec from birth.
//
// Only this module makes raw system calls and includes <linux/*>. A wrapper has the call's name and argument order; a
// failure carries the call and its operands. Paths that an image or a container can influence go through safe_path.h,
// everything else through file.h. A missing call on an older kernel is NotImplemented, and each fall-back says from
// which kernel on it can go.

#include "sys/error.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/safe_path.h"
