// {fmt}, compiled once for all rooms. Its headers alone would compile the same formatter into each
// file that uses one, which took a third of the time of such a file (docs/dependencies.md).
#include <fmt/format-inl.h>

// What fmt/format.h promises to be defined elsewhere, as far as char goes.
template auto fmt::detail::thousands_sep_impl<char>(locale_ref) -> thousands_sep_result<char>;
template auto fmt::detail::decimal_point_impl<char>(locale_ref) -> char;
template auto fmt::detail::dragonbox::to_decimal(float x) noexcept
    -> fmt::detail::dragonbox::decimal_fp<float>;
template auto fmt::detail::dragonbox::to_decimal(double x) noexcept
    -> fmt::detail::dragonbox::decimal_fp<double>;
template auto fmt::detail::locale_ref::get<std::locale>() const -> std::locale;
