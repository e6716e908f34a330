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

size_t WaitingLine::Of(const Amount& amount, Scarce scarce) {
  return scarce == Scarce::kBytes ? amount.bytes : amount.requests;
}

WaitingLine::Scarce WaitingLine::ScarceFor(size_t bytes) const {
  return total_.bytes + bytes > most_bytes_ ? Scarce::kBytes
                                            : Scarce::kRequests;
}

WaitingLine::Left WaitingLine::TakeFromLargest(const Sender& sender,
                                               size_t bytes) {
  const Scarce scarce = ScarceFor(bytes);
  const auto smaller = [scarce](const auto& a, const auto& b) {
    return Of(a.second.amount, scarce) < Of(b.second.amount, scarce);
  };
  const auto largest = std::max_element(hosts_.begin(), hosts_.end(), smaller);
  if (largest == hosts_.end()) return {};
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
  const size_t added = Of({1, bytes}, scarce);
  // Among a host's own connections it is between those.
  const bool has_more =
      largest == own_host
          ? Of(connection.amount, scarce) > Of(own, scarce) + added
          : Of(host.amount, scarce) > Of(own_hosts, scarce) + added;
  if (!has_more) return {};
  Left left = {connection.tickets.back(), {host.name, connection.name}, 0};
  left.bytes = left.ticket->bytes_;
  Remove(*left.ticket);
  return left;
}

std::vector<WaitingLine::Ticket> WaitingLine::MakeRoom(const Sender& sender,
                                                       size_t bytes) {
  std::vector<Left> left;
  while (!HasRoomFor(bytes)) {
    Left next = bytes > most_bytes_ ? Left() : TakeFromLargest(sender, bytes);
    if (next.ticket == nullptr) break;
    left.push_back(std::move(next));
  }
  std::vector<Ticket> tickets;
  if (HasRoomFor(bytes)) {
    for (Left& one : left) tickets.push_back(std::move(one.ticket));
    return tickets;
  }
  // It was for nothing. The last that left comes back first, to its place.
  for (auto one = left.rbegin(); one != left.rend(); ++one) {
    Add(std::move(one->ticket), one->sender, one->bytes);
  }
  return tickets;
}

std::vector<WaitingLine::Ticket> WaitingLine::TakeAll() {
  std::vector<Ticket> all;
  while (Ticket ticket = TakeNext()) all.push_back(std::move(ticket));
  return all;
}

}  // namespace cordon::server
