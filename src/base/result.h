// Result<T>: a value or an Error. The one name for it; nobody else names the underlying type.
#pragma once

#include <expected>
#include <utility>

#include "base/error.h"

namespace wormhole {

template <typename T>
class [[nodiscard]] Result : public std::expected<T, Error> {
  using Base = std::expected<T, Error>;

 public:
  using Base::Base;
  using Base::operator=;
};

template <>
class [[nodiscard]] Result<void> : public std::expected<void, Error> {
  using Base = std::expected<void, Error>;

 public:
  using Base::Base;
};

// `return fail({.code = Code::kUsage, .operation = "..."});`
[[nodiscard]] inline std::unexpected<Error> fail(Error error) {
  return std::unexpected<Error>(std::move(error));
}

}  // namespace wormhole

// Returns the error of `expr` from the enclosing function; otherwise goes on.
#define WH_TRY(expr)                                          \
  do {                                                        \
    if (auto wh_result_ = (expr); !wh_result_.has_value())    \
      return ::wormhole::fail(std::move(wh_result_).error()); \
  } while (false)

#define WH_CONCAT_INNER(a, b) a##b
#define WH_CONCAT(a, b) WH_CONCAT_INNER(a, b)

// WH_ASSIGN(auto fd, open(...)); declares fd from the value, or returns the error.
#define WH_ASSIGN(declaration, expr) WH_ASSIGN_(WH_CONCAT(wh_value_, __LINE__), declaration, expr)
#define WH_ASSIGN_(name, declaration, expr)                                \
  auto name = (expr);                                                      \
  if (!name.has_value()) return ::wormhole::fail(std::move(name).error()); \
  declaration = std::move(name).value()
