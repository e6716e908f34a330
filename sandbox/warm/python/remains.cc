// The doors are those of the header.

#include "sandbox/warm/python/remains.h"

#include <stdint.h>
#include <string.h>

#include "sandbox/warm/python/collector.h"

namespace cordon::sandbox {
namespace {

// What is known of a type: a table of its own, since to look into one of the
// interpreter's is to call what a metaclass has for __hash__ and __eq__.
enum class Verdict : uint8_t { kNone, kHarmless, kNotHarmless };
struct Entry {
  const void* type;
  Verdict verdict;
};
constexpr int kEntriesLog = 12;
constexpr size_t kEntries = 1 << kEntriesLog;
constexpr size_t kMostTypes = kEntries / 2;
Entry entries[kEntries];
size_t type_count;

constexpr int kMostForgetters = 8;
PyObject* forgetters[kMostForgetters];
int forgetter_count;

// Of each standard stream, the text, its buffer and that's file.
constexpr const char* kStreams[] = {"__stdin__", "__stdout__", "__stderr__"};
constexpr int kLayers = 3;
PyObject* streams[3][kLayers];

// A container that the collector does not know holds others of that kind only,
// and is as deep as somebody wrote it.
constexpr int kDeepest = 16;

// typeslots.h, object.h
constexpr int kSlotBase = 48;
constexpr int kSlotDealloc = 52;
constexpr int kSlotDel = 53;
constexpr int kSlotTraverse = 71;
constexpr int kSlotFinalize = 80;
constexpr unsigned long kIsCollected = 1UL << 14;
constexpr unsigned long kIsTypeSubclass = 1UL << 31;

// PyObject, PyWeakReference, PyFunctionObject, PyCFunctionObject and
// PyMethodDef as they begin, in CPython 3.11.
struct ObjectLayout {
  ptrdiff_t references;
  PyObject* type;
};
struct WeakReferenceLayout {
  ObjectLayout object;
  PyObject* referent;
  PyObject* callback;
};
struct FunctionLayout {
  ObjectLayout object;
  PyObject* globals;
};
struct NativeFunctionLayout {
  ObjectLayout object;
  const PyMethodDef* method;
  PyObject* self;
};

template <typename Layout>
const Layout* As(PyObject* object) {
  return reinterpret_cast<const Layout*>(object);
}

PyObject* TypeOf(PyObject* object) { return As<ObjectLayout>(object)->type; }

// Null when the table is full.
Entry* Find(const void* type) {
  size_t at = (reinterpret_cast<uintptr_t>(type) >> 4) * 0x9E3779B97F4A7C15;
  at >>= 64 - kEntriesLog;
  while (entries[at].type != nullptr && entries[at].type != type) {
    at = (at + 1) % kEntries;
  }
  if (entries[at].type == nullptr) {
    if (type_count == kMostTypes) return nullptr;
    ++type_count;
    entries[at].type = type;
  }
  return &entries[at];
}

void* SlotOf(PyObject* type, int slot) { return PyType_GetSlot(type, slot); }

// How objects of classes are destroyed that are written in Python, which is by
// what their bases do (subtype_dealloc() in the interpreter).
const void* class_dealloc;

Verdict Judge(PyObject* type) {
  if (SlotOf(type, kSlotFinalize) != nullptr ||
      SlotOf(type, kSlotDel) != nullptr) {
    return Verdict::kNotHarmless;
  }
  while (type != nullptr && SlotOf(type, kSlotDealloc) == class_dealloc) {
    type = static_cast<PyObject*>(SlotOf(type, kSlotBase));
  }
  if (type == nullptr) return Verdict::kNotHarmless;
  const Entry* const base = Find(type);
  return base != nullptr && base->verdict == Verdict::kHarmless
             ? Verdict::kHarmless
             : Verdict::kNotHarmless;
}

bool TypeIsHarmless(PyObject* type) {
  Entry* const entry = Find(type);
  if (entry == nullptr) return false;
  if (entry->verdict == Verdict::kNone) entry->verdict = Judge(type);
  return entry->verdict == Verdict::kHarmless;
}

PyObject* weak_reference_type;
PyObject* function_type;
PyObject* native_function_type;

// What the standard library's weak containers, and abstract classes, have
// called when an object goes that they know of.
bool OnlyForgets(PyObject* callback) {
  if (TypeOf(callback) == function_type) {
    PyObject* const globals = As<FunctionLayout>(callback)->globals;
    for (int i = 0; i < forgetter_count; ++i) {
      if (forgetters[i] == globals) return true;
    }
    return false;
  }
  if (TypeOf(callback) != native_function_type) return false;
  const auto* const native = As<NativeFunctionLayout>(callback);
  return strcmp(native->method->name, "_destroy") == 0 &&
         native->self != nullptr && TypeOf(native->self) == weak_reference_type;
}

bool IsWeakReference(PyObject* type) {
  while (type != nullptr && SlotOf(type, kSlotDealloc) == class_dealloc) {
    type = static_cast<PyObject*>(SlotOf(type, kSlotBase));
  }
  return type == weak_reference_type;
}

bool IsStream(PyObject* object) {
  for (const auto& layers : streams) {
    for (const PyObject* const layer : layers) {
      if (layer == object) return true;
    }
  }
  return false;
}

bool IsHarmless(PyObject* object, int depth);

struct Visit {
  int depth;
  bool found_harm;
};

// What the collector knows is visited for itself, or was the template's.
int VisitHeld(PyObject* object, void* argument) {
  auto* const visit = static_cast<Visit*>(argument);
  if (PyObject_GC_IsTracked(object) != 0) return 0;
  if (!IsHarmless(object, visit->depth + 1)) visit->found_harm = true;
  return visit->found_harm ? 1 : 0;
}

bool IsHarmless(PyObject* object, int depth) {
  PyObject* const type = TypeOf(object);
  if (!TypeIsHarmless(type)) {
    if (IsStream(object)) return true;
    if (!IsWeakReference(type)) return false;
    PyObject* const callback = As<WeakReferenceLayout>(object)->callback;
    return callback == nullptr || OnlyForgets(callback);
  }
  const unsigned long flags = PyType_GetFlags(type);
  if ((flags & kIsCollected) == 0) return true;
  // A type of the interpreter's own.
  if ((flags & kIsTypeSubclass) != 0 && PyObject_GC_IsTracked(object) == 0) {
    return true;
  }
  if (depth == kDeepest) return false;
  using Traverse = int (*)(PyObject*, int (*)(PyObject*, void*), void*);
  const auto traverse = reinterpret_cast<Traverse>(SlotOf(type, kSlotTraverse));
  if (traverse == nullptr) return false;
  Visit visit = {depth, false};
  traverse(object, &VisitHeld, &visit);
  return !visit.found_harm;
}

// A stream, its buffer, and the file of that; null where there is none.
void FindLayers(const char* name, PyObject* layers[kLayers]) {
  constexpr const char* kNext[] = {"buffer", "raw"};
  PyObject* layer = PySys_GetObject(name);
  for (int i = 0; i < kLayers; ++i) {
    layers[i] = layer;
    if (layer == nullptr || i == kLayers - 1) continue;
    layer = PyObject_GetAttrString(layer, kNext[i]);
    if (layer == nullptr) PyErr_Clear();
    // Held by the one above it.
    if (layer != nullptr) Py_DecRef(layer);
  }
}

// One that was detached may hold what nobody flushes, and what took its place
// is anything.
bool StreamsAreTheSame() {
  for (int i = 0; i < 3; ++i) {
    if (PySys_GetObject(kStreams[i]) != streams[i][0]) return false;
    PyObject* now[kLayers];
    FindLayers(kStreams[i], now);
    if (memcmp(now, streams[i], sizeof(now)) != 0) return false;
  }
  return true;
}

}  // namespace

bool LearnHarmless(PyObject* types, PyObject* namespaces) {
  constexpr ptrdiff_t kNamed = 4;
  if (PyList_Size(types) < kNamed) return false;
  class_dealloc = SlotOf(PyList_GetItem(types, 0), kSlotDealloc);
  function_type = PyList_GetItem(types, 1);
  native_function_type = PyList_GetItem(types, 2);
  weak_reference_type = PyList_GetItem(types, 3);
  for (ptrdiff_t i = kNamed; i < PyList_Size(types); ++i) {
    PyObject* const type = PyList_GetItem(types, i);
    if (SlotOf(type, kSlotDealloc) == class_dealloc) continue;
    Entry* const entry = Find(type);
    if (entry == nullptr) return false;
    entry->verdict = Verdict::kHarmless;
  }
  if (PyList_Size(namespaces) > kMostForgetters) return false;
  forgetter_count = static_cast<int>(PyList_Size(namespaces));
  for (int i = 0; i < forgetter_count; ++i) {
    forgetters[i] = PyList_GetItem(namespaces, i);
    Py_IncRef(forgetters[i]);
  }
  return true;
}

void ForgetHarmless() {
  for (int i = 0; i < forgetter_count; ++i) Py_DecRef(forgetters[i]);
  forgetter_count = 0;
}

void RememberStreams() {
  for (int i = 0; i < 3; ++i) FindLayers(kStreams[i], streams[i]);
}

bool RemainsAreHarmless() {
  return StreamsAreTheSame() && CollectorIsAsItWas() &&
         ForEachOwnObject(
             [](PyObject* object) { return IsHarmless(object, /*depth=*/0); });
}

}  // namespace cordon::sandbox
