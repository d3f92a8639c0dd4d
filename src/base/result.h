#pragma once
// base/result: failure as a value.
//
// A fallible function returns Result<T>: either a T or an Error. An Error is a closed code (what a caller may branch
// on), the errno it was born with (0 when none), one message with its operands, and the chain of contexts that the
// callers added on the way up. Libraries return errors and never log them; the edge logs or answers them once.
//
//   Result<std::string> read_config(const std::string& path) {
//     auto text = TRY(sys::read_file(path));
//     if (text.empty()) return fail(Code::InvalidArgument, "configuration \"{}\" is empty", path);
//     return text;
//   }
//   auto text = TRY_CONTEXT(read_config(path), "load configuration");

#include <fmt/format.h>

#include <cassert>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace sampan {

enum class Code {
  Unknown,
  InvalidArgument,
  NotFound,
  AlreadyExists,
  Conflict,
  NotModified,
  PermissionDenied,
  Unauthenticated,
  Unavailable,
  NotImplemented,
  ResourceExhausted,
  DeadlineExceeded,
  Cancelled,
  DataLoss,
  Internal,
};

/// The code's name as it is written in logs, e.g. "NotFound".
const char* code_name(Code code);
/// The code that an errno stands for when nothing better is known (ENOENT -> NotFound, ...).
Code code_of_errno(int err);
/// The HTTP status that Docker's API uses for the code.
int http_status(Code code);

class Error {
 public:
  Error(Code code, std::string message, int err = 0) : code_(code), errno_(err), message_(std::move(message)) {}

  Code code() const { return code_; }
  /// The errno the failure was born with, 0 when there was none.
  int errno_value() const { return errno_; }
  /// The innermost message, without the contexts.
  const std::string& root_message() const { return message_; }
  /// "context: context: message", outermost first: what a user reads.
  std::string message() const;

  Error context(std::string text) && {
    contexts_.push_back(std::move(text));
    return std::move(*this);
  }
  Error with_code(Code code) && {
    code_ = code;
    return std::move(*this);
  }

 private:
  Code code_;
  int errno_;
  std::string message_;
  std::vector<std::string> contexts_;  // innermost first
};

template <typename... Args>
Error make_error(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return Error(code, fmt::format(format, std::forward<Args>(args)...));
}

/// An error from an errno: message is `operation: strerror`, the code follows from the errno.
Error errno_error(int err, std::string operation);

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)
  template <typename U>
    requires(std::is_convertible_v<U &&, T> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
             !std::is_same_v<std::remove_cvref_t<U>, Error> && !std::is_same_v<std::remove_cvref_t<U>, T>)
  Result(U&& value) : state_(std::in_place_index<0>, T(std::forward<U>(value))) {}  // NOLINT

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & {
    assert(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    assert(has_value());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    assert(has_value());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T value_or(T other) && { return has_value() ? std::move(*this).value() : std::move(other); }
  Error& error() & {
    assert(!has_value());
    return *std::get_if<1>(&state_);
  }
  const Error& error() const& {
    assert(!has_value());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    assert(!has_value());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  void value() const { assert(has_value()); }
  Error& error() & {
    assert(!has_value());
    return *error_;
  }
  const Error& error() const& {
    assert(!has_value());
    return *error_;
  }
  Error&& error() && {
    assert(!has_value());
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

/// `return fail(Code::NotFound, "no such container: {}", name);`
template <typename... Args>
Error fail(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return Error(code, fmt::format(format, std::forward<Args>(args)...));
}

namespace internal {
inline void take(Result<void>&&) {}
template <typename T>
T take(Result<T>&& result) {
  return std::move(result).value();
}
}  // namespace internal

}  // namespace sampan

// Unwraps a Result or returns its error from the enclosing function (statement expression: clang and gcc).
#define TRY(expr)                                                        \
  ({                                                                     \
    auto&& sampan_try_result = (expr);                                   \
    if (!sampan_try_result) return std::move(sampan_try_result).error(); \
    ::sampan::internal::take(std::move(sampan_try_result));              \
  })

// TRY that adds one context (a std::string or literal) to the error.
#define TRY_CONTEXT(expr, text)                                                        \
  ({                                                                                   \
    auto&& sampan_try_result = (expr);                                                 \
    if (!sampan_try_result) return std::move(sampan_try_result).error().context(text); \
    ::sampan::internal::take(std::move(sampan_try_result));                            \
  })

// TRY for coroutines: co_returns the error.
#define CO_TRY(expr)                                                        \
  ({                                                                        \
    auto&& sampan_try_result = (expr);                                      \
    if (!sampan_try_result) co_return std::move(sampan_try_result).error(); \
    ::sampan::internal::take(std::move(sampan_try_result));                 \
  })
