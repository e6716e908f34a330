// The doors are those of the header, in its order. What is laid out here is of
// CPython 3.11.

#include "sandbox/warm/python/collector.h"

#include <stdint.h>

namespace cordon::sandbox {
namespace {

// Before each object that the collector may know; lists are rings. The low bits
// of `previous` are flags.
struct Link {
  Link* next;
  uintptr_t previous;
};
constexpr uintptr_t kFlags = 3;

struct Generation {
  Link head;
  int threshold;
  int count;
};

struct Statistics {
  ptrdiff_t collections;
  ptrdiff_t collected;
  ptrdiff_t uncollectable;
};

struct Collector {
  int nesting;
  int enabled;
  int debug;
  Generation generations[3];
  Link* youngest;
  Generation permanent;
  Statistics statistics[3];
  int collecting;
  PyObject* garbage;
  PyObject* callbacks;
  ptrdiff_t long_lived_total;
  ptrdiff_t long_lived_pending;
};

Collector* collector;
// The last of what was frozen before the program, held so that it stays that.
Link* last_frozen;
// How often the two older generations had been collected before the program.
ptrdiff_t collections_before;

Link* LinkOf(PyObject* object) { return reinterpret_cast<Link*>(object) - 1; }

PyObject* ObjectOf(Link* link) { return reinterpret_cast<PyObject*>(link + 1); }

Link* Previous(const Link& link) {
  return reinterpret_cast<Link*>(link.previous & ~kFlags);
}

void Connect(Link* first, Link* second) {
  first->next = second;
  second->previous =
      reinterpret_cast<uintptr_t>(first) | (second->previous & kFlags);
}

ptrdiff_t LengthOf(const Link& head, ptrdiff_t most) {
  ptrdiff_t length = 0;
  for (const Link* link = head.next; link != &head && length <= most;
       link = link->next) {
    ++length;
  }
  return length;
}

ptrdiff_t CollectionsOfOlder() {
  return collector->statistics[1].collections +
         collector->statistics[2].collections;
}

}  // namespace

bool FindCollector(PyObject* garbage, PyObject* callbacks, ptrdiff_t frozen) {
  // What was made last is last in the youngest generation.
  PyObject* const last = PyList_New(0);
  if (last == nullptr) return false;
  Link* const head = LinkOf(last)->next;
  auto* const found = reinterpret_cast<Collector*>(
      reinterpret_cast<char*>(head) - offsetof(Collector, generations));
  const bool is_one =
      frozen > 0 && Previous(*head) == LinkOf(last) &&
      found->youngest == head && found->garbage == garbage &&
      found->callbacks == callbacks && found->enabled == 1 &&
      found->debug == 0 && found->collecting == 0 &&
      LengthOf(found->permanent.head, frozen) == frozen &&
      found->generations[1].head.next == &found->generations[1].head &&
      found->generations[2].head.next == &found->generations[2].head;
  Py_DecRef(last);
  if (is_one) collector = found;
  return is_one;
}

void SetCollectorCounts(const int counts[3]) {
  for (int i = 0; i < 3; ++i) collector->generations[i].count = counts[i];
  // As nothing has been collected in the oldest generation.
  collector->long_lived_total = 0;
  collector->long_lived_pending = 0;
  collections_before = CollectionsOfOlder();
  last_frozen = Previous(collector->permanent.head);
  Py_IncRef(ObjectOf(last_frozen));
}

bool CollectorIsAsItWas() {
  return collector->debug == 0 && PyList_Size(collector->garbage) == 0 &&
         PyList_Size(collector->callbacks) == 0 &&
         Previous(collector->permanent.head) == last_frozen;
}

bool ForEachOwnObject(bool (*visit)(PyObject* object)) {
  for (Generation& generation : collector->generations) {
    for (Link* link = generation.head.next; link != &generation.head;
         link = link->next) {
      if (!visit(ObjectOf(link))) return false;
    }
  }
  return true;
}

// It is in the middle generation when a program begins, and gets older with
// that. A program that has frozen what there was has frozen that, too.
void ThawCollector() {
  Link& from = collector->permanent.head;
  if (Previous(from) == last_frozen) {
    const bool is_old = CollectionsOfOlder() > collections_before;
    Link& to = collector->generations[is_old ? 2 : 1].head;
    Link* const first = from.next;
    Connect(last_frozen, to.next);
    Connect(&to, first);
    Connect(&from, &from);
  }
  Py_DecRef(ObjectOf(last_frozen));
}

}  // namespace cordon::sandbox
