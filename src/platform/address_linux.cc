// Names, numeric addresses and interfaces.
#include "platform/address_linux.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace wormhole::platform {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, FreeAddresses>;

struct Lookup {
  int error = 0;  // EAI_*
  int os_errno = 0;
  AddressList list;
};

Lookup look_up(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  Lookup lookup;
  lookup.error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  lookup.os_errno = lookup.error == EAI_SYSTEM ? errno : 0;
  lookup.list.reset(list);
  return lookup;
}

Error resolver_error(const Lookup& lookup, const std::string& host) {
  if (lookup.error == EAI_SYSTEM) {
    Error error = os_error(lookup.os_errno, "resolve", host, Code::kConnect);
    error.code = Code::kConnect;
    return error;
  }
  std::string reason = ::gai_strerror(lookup.error);
  if (!reason.empty() && reason[0] >= 'A' && reason[0] <= 'Z') {
    reason[0] = static_cast<char>(reason[0] - 'A' + 'a');
  }
  return {.code = Code::kConnect,
          .operation = "resolve",
          .object = host,
          .detail = std::move(reason),
          .advice = "check the host's name, or give its numeric address",
          .retryable = lookup.error == EAI_AGAIN};
}

KernelAddress to_kernel_address(const addrinfo& from) {
  KernelAddress address;
  std::memcpy(&address.storage, from.ai_addr, from.ai_addrlen);
  address.bytes = from.ai_addrlen;
  return address;
}

bool is_link_local(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    in_addr ip = {};
    std::memcpy(&ip, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, sizeof ip);
    return (ntohl(ip.s_addr) >> 16) == 0xA9FE;  // 169.254.0.0/16, RFC 3927
  }
  in6_addr ip = {};
  std::memcpy(&ip, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, sizeof ip);
  return IN6_IS_ADDR_LINKLOCAL(&ip);
}

}  // namespace

std::string Address::to_string() const {
  return (is_v6 ? "[" + ip + "]" : ip) + ":" + std::to_string(port);
}

std::string Address::of_one_peer() const {
  in6_addr number;
  if (!is_v6 || ::inet_pton(AF_INET6, ip.c_str(), &number) != 1) return ip;
  std::memset(number.s6_addr + 8, 0, 8);
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET6, &number, text, sizeof text);
  return std::string(text) + "/64";
}

Address to_address(const KernelAddress& from) {
  Address address;
  char text[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE] = {};
  if (from.storage.ss_family == AF_INET) {
    sockaddr_in v4 = {};
    std::memcpy(&v4, &from.storage, sizeof v4);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    address.port = ntohs(v4.sin_port);
  } else if (from.storage.ss_family == AF_INET6) {
    sockaddr_in6 v6 = {};
    std::memcpy(&v6, &from.storage, sizeof v6);
    address.port = ntohs(v6.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      ::inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof text);
    } else {
      address.is_v6 = true;
      ::getnameinfo(from.get(), from.bytes, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
    }
  }
  address.ip = text;
  return address;
}

Address name_of(int fd, int (*ask)(int, sockaddr*, socklen_t*)) {
  KernelAddress address;
  address.bytes = sizeof address.storage;
  if (ask(fd, address.get(), &address.bytes) != 0) return {};
  return to_address(address);
}

Result<KernelAddress> to_kernel_address(const Address& from) {
  const Lookup lookup = look_up(from.ip, from.port, AI_NUMERICHOST);
  if (lookup.error != 0) return fail(resolver_error(lookup, from.ip));
  return to_kernel_address(*lookup.list);
}

Result<std::vector<Address>> resolve(const std::string& host, std::uint16_t port) {
  if (host.empty() || host.find('\0') != std::string::npos) {
    return fail({.code = Code::kConnect,
                 .operation = "resolve",
                 .object = host,
                 .detail = "not a host name"});
  }
  // A numeric address is taken as it is. A name gives the families this machine has addresses
  // of; where that leaves nothing (a machine with loopback alone), all there are.
  Lookup lookup = look_up(host, port, AI_NUMERICHOST);
  if (lookup.error == EAI_NONAME) lookup = look_up(host, port, AI_ADDRCONFIG);
  if (lookup.error != 0 && lookup.error != EAI_AGAIN && lookup.error != EAI_SYSTEM) {
    lookup = look_up(host, port, 0);
  }
  if (lookup.error != 0) return fail(resolver_error(lookup, host));

  std::vector<Address> addresses;
  for (const addrinfo* entry = lookup.list.get(); entry; entry = entry->ai_next) {
    Address address = to_address(to_kernel_address(*entry));
    if (!address.ip.empty() && std::ranges::find(addresses, address) == addresses.end()) {
      addresses.push_back(std::move(address));
    }
  }
  return addresses;
}

std::vector<Address> local_addresses(std::uint16_t port) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);

  std::vector<Address> reachable;
  std::vector<Address> loopback;
  for (const ifaddrs* entry = list; entry; entry = entry->ifa_next) {
    if (!entry->ifa_addr || (entry->ifa_flags & IFF_UP) == 0) continue;
    const sa_family_t family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    if (is_link_local(entry->ifa_addr)) continue;
    KernelAddress kernel;
    kernel.bytes = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    std::memcpy(&kernel.storage, entry->ifa_addr, kernel.bytes);
    Address address = to_address(kernel);
    address.port = port;
    auto& where = (entry->ifa_flags & IFF_LOOPBACK) != 0 ? loopback : reachable;
    if (std::ranges::find(where, address) == where.end()) where.push_back(std::move(address));
  }
  auto& found = reachable.empty() ? loopback : reachable;
  // IPv4 first: shorter to type on the other side.
  std::ranges::stable_partition(found, [](const Address& address) { return !address.is_v6; });
  return std::move(found);
}

}  // namespace wormhole::platform
