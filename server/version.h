// The server's version, as GetServerInfo and --version report it.

#ifndef CORDON_SERVER_VERSION_H_
#define CORDON_SERVER_VERSION_H_

namespace cordon::server {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace cordon::server

#endif  // CORDON_SERVER_VERSION_H_
