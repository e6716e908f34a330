// The client's own version; a server says its own in ServerInfo.

#ifndef CORDON_CLIENT_VERSION_H_
#define CORDON_CLIENT_VERSION_H_

namespace cordon::client {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace cordon::client

#endif  // CORDON_CLIENT_VERSION_H_
