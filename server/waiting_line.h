// WaitingLine orders what waits for a slot: hosts take turns, a host's
// connections take turns, and a connection's requests keep their order. How
// long one client waits does not depend on how many requests another has sent.
//
//   line.Add(ticket, {.host = "10.0.0.7", .connection = "10.0.0.7:4711"},
//   bytes); std::shared_ptr<Ticket> next = line.TakeNext();
//
// When it is full, whoever has most of it makes room for those with less:
//
//   for (auto& loser : line.MakeRoom(sender, bytes)) ...
//
// What it does not do: tell clients apart that come from one host by one
// connection, such as those behind a proxy.
//
// Contract: not thread-safe. `Ticket` derives from WaitingLine's Place, and is
// in one line at most.

#ifndef CORDON_SERVER_WAITING_LINE_H_
#define CORDON_SERVER_WAITING_LINE_H_

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace cordon::server {

// Whom a request comes from.
struct Sender {
  std::string host;
  std::string connection;
};

// gRPC's word for a peer, such as "ipv4:10.0.0.7:4711": a host is all up to the
// port.
Sender SenderOf(const std::string& peer);

class WaitingLine {
 private:
  struct Host;
  struct Connection;

 public:
  // What a ticket knows of where it stands.
  class Place {
   protected:
    Place() = default;

   private:
    friend class WaitingLine;
    Host* host_ = nullptr;
    Connection* connection_ = nullptr;
    std::list<std::shared_ptr<Place>>::iterator position_;
    size_t bytes_ = 0;
  };
  using Ticket = std::shared_ptr<Place>;

  WaitingLine(size_t most_requests, size_t most_bytes)
      : most_requests_(most_requests), most_bytes_(most_bytes) {}
  WaitingLine(const WaitingLine&) = delete;
  WaitingLine& operator=(const WaitingLine&) = delete;

  bool HasRoomFor(size_t bytes) const {
    return total_.requests < most_requests_ && bytes <= most_bytes_ &&
           total_.bytes <= most_bytes_ - bytes;
  }
  void Add(Ticket ticket, const Sender& sender, size_t bytes);
  // Null: nobody waits.
  Ticket TakeNext();
  // Takes the last ones of whoever has more than `sender` would have with
  // another request of `bytes`, of what there is too little of, until there is
  // room for it. Empty: there is, or there would not be.
  std::vector<Ticket> MakeRoom(const Sender& sender, size_t bytes);
  // It is in the line.
  void Remove(Place& ticket);
  // In no particular order.
  std::vector<Ticket> TakeAll();

  bool empty() const { return total_.requests == 0; }
  size_t size() const { return total_.requests; }
  size_t bytes() const { return total_.bytes; }

 private:
  struct Amount {
    size_t requests = 0;
    size_t bytes = 0;
  };
  struct Connection {
    Amount amount;
    std::list<Ticket> tickets;
    // Its turn among its host's.
    std::list<Connection*>::iterator turn;
    std::string name;
  };
  struct Host {
    Amount amount;
    std::map<std::string, Connection> connections;
    std::list<Connection*> turns;
    std::list<Host*>::iterator turn;
    std::string name;
  };

  // One that has left, and where it stood.
  struct Left {
    Ticket ticket;
    Sender sender;
    size_t bytes = 0;
  };
  enum class Scarce { kRequests, kBytes };

  static size_t Of(const Amount& amount, Scarce scarce);
  Scarce ScarceFor(size_t bytes) const;
  Left TakeFromLargest(const Sender& sender, size_t bytes);

  const size_t most_requests_;
  const size_t most_bytes_;
  Amount total_;
  std::map<std::string, Host> hosts_;
  std::list<Host*> turns_;
};

}  // namespace cordon::server

#endif  // CORDON_SERVER_WAITING_LINE_H_
