#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace sampan {
namespace {

struct CodeFacts {
  Code code;
  const char* name;
  int http;
};

constexpr CodeFacts kCodes[] = {
    {Code::Unknown, "Unknown", 500},
    {Code::InvalidArgument, "InvalidArgument", 400},
    {Code::NotFound, "NotFound", 404},
    {Code::AlreadyExists, "AlreadyExists", 409},
    {Code::Conflict, "Conflict", 409},
    {Code::NotModified, "NotModified", 304},
    {Code::PermissionDenied, "PermissionDenied", 403},
    {Code::Unauthenticated, "Unauthenticated", 401},
    {Code::Unavailable, "Unavailable", 503},
    {Code::NotImplemented, "NotImplemented", 501},
    {Code::ResourceExhausted, "ResourceExhausted", 500},
    {Code::DeadlineExceeded, "DeadlineExceeded", 500},
    {Code::Cancelled, "Cancelled", 500},
    {Code::DataLoss, "DataLoss", 500},
    {Code::Internal, "Internal", 500},
};

const CodeFacts& facts(Code code) {
  for (const auto& row : kCodes) {
    if (row.code == code) return row;
  }
  return kCodes[0];
}

}  // namespace

const char* code_name(Code code) {
  return facts(code).name;
}
int http_status(Code code) {
  return facts(code).http;
}

Code code_of_errno(int err) {
  switch (err) {
    case ENOENT:
    case ESRCH:
    case ENODEV:
    case ENXIO:
      return Code::NotFound;
    case EEXIST:
      return Code::AlreadyExists;
    case EINVAL:
    case ENAMETOOLONG:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
      return Code::InvalidArgument;
    case EACCES:
    case EPERM:
    case EROFS:
      return Code::PermissionDenied;
    case EBUSY:
    case ENOTEMPTY:
      return Code::Conflict;
    case ENOSYS:
    case EOPNOTSUPP:
      return Code::NotImplemented;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return Code::ResourceExhausted;
    case ETIMEDOUT:
      return Code::DeadlineExceeded;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return Code::Unavailable;
    case ECANCELED:
      return Code::Cancelled;
    default:
      return Code::Unknown;
  }
}

std::string Error::message() const {
  std::string out;
  for (auto it = contexts_.rbegin(); it != contexts_.rend(); ++it) {
    out += *it;
    out += ": ";
  }
  return out + message_;
}

Error errno_error(int err, std::string operation) {
  operation += ": ";
  operation += std::strerror(err);
  return Error(code_of_errno(err), std::move(operation), err);
}

}  // namespace sampan
