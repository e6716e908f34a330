#include "server/waiting_line.h"

#include <algorithm>

namespace cordon::server {

Sender SenderOf(const std::string& peer) {
  return {.host = peer.substr(0, peer.rfind(':')), .connection = peer};
}

void WaitingLine::Add(Ticket ticket, const Sender& sender, size_t bytes) {
  const auto [host, is_new_host] = hosts_.try_emplace(sender.host);
  if (is_new_host) {
    host->second.name = sender.host;
    host->second.turn = turns_.insert(turns_.end(), &host->second);
  }
  Host& of = host->second;
  const auto [connection, is_new] =
      of.connections.try_emplace(sender.connection);
  Connection& on = connection->second;
  if (is_new) {
    on.name = sender.connection;
    on.turn = of.turns.insert(of.turns.end(), &on);
  }
  Place& place = *ticket;
  place.host_ = &of;
  place.connection_ = &on;
  place.bytes_ = bytes;
  place.position_ = on.tickets.insert(on.tickets.end(), std::move(ticket));
  for (Amount* amount : {&total_, &of.amount, &on.amount}) {
    ++amount->requests;
    amount->bytes += bytes;
  }
}

WaitingLine::Ticket WaitingLine::TakeNext() {
  if (turns_.empty()) return nullptr;
  Host& host = *turns_.front();
  Connection& connection = *host.turns.front();
  // Whoever had a turn comes after all others.
  turns_.splice(turns_.end(), turns_, host.turn);
  host.turns.splice(host.turns.end(), host.turns, connection.turn);
  Ticket ticket = connection.tickets.front();
  Remove(*ticket);
  return ticket;
}

void WaitingLine::Remove(Place& ticket) {
  Host& host = *ticket.host_;
  Connection& connection = *ticket.connection_;
  for (Amount* amount : {&total_, &host.amount, &connection.amount}) {
    --amount->requests;
    amount->bytes -= ticket.bytes_;
  }
  // It may be what keeps the ticket alive.
  const Ticket last_use = std::move(*ticket.position_);
  connection.tickets.erase(ticket.position_);
  if (!connection.tickets.empty()) return;
  host.turns.erase(connection.turn);
  host.connections.erase(host.connections.find(connection.name));
  if (!host.turns.empty()) return;
  turns_.erase(host.turn);
  hosts_.erase(hosts_.find(host.name));
}

double WaitingLine::ShareOf(const Amount& amount) const {
  return std::max(static_cast<double>(amount.requests) /
                      static_cast<double>(std::max<size_t>(most_requests_, 1)),
                  static_cast<double>(amount.bytes) /
                      static_cast<double>(std::max<size_t>(most_bytes_, 1)));
}

double WaitingLine::ShareWith(const Amount& amount, size_t bytes) const {
  return ShareOf({amount.requests + 1, amount.bytes + bytes});
}

WaitingLine::Ticket WaitingLine::TakeFromLargest(const Sender& sender,
                                                 size_t bytes) {
  const auto smaller = [this](const auto& a, const auto& b) {
    return ShareOf(a.second.amount) < ShareOf(b.second.amount);
  };
  const auto largest = std::max_element(hosts_.begin(), hosts_.end(), smaller);
  if (largest == hosts_.end()) return nullptr;
  Host& host = largest->second;
  const auto own_host = hosts_.find(sender.host);
  Amount own_hosts, own;
  if (own_host != hosts_.end()) {
    own_hosts = own_host->second.amount;
    const auto& connections = own_host->second.connections;
    const auto found = connections.find(sender.connection);
    if (found != connections.end()) own = found->second.amount;
  }
  const auto most = std::max_element(host.connections.begin(),
                                     host.connections.end(), smaller);
  Connection& connection = most->second;
  // Among a host's own connections it is between those.
  const bool has_more =
      largest == own_host ? ShareOf(connection.amount) > ShareWith(own, bytes)
                          : ShareOf(host.amount) > ShareWith(own_hosts, bytes);
  if (!has_more) return nullptr;
  Ticket ticket = connection.tickets.back();
  Remove(*ticket);
  return ticket;
}

std::vector<WaitingLine::Ticket> WaitingLine::TakeAll() {
  std::vector<Ticket> all;
  while (Ticket ticket = TakeNext()) all.push_back(std::move(ticket));
  return all;
}

}  // namespace cordon::server
