// The fork point as an extension module of CPython. restrict() is what the
// template gives up (template_restriction.h); false means that it could not.
// expect(garbage, callbacks,
// frozen, counts, types, forgetters) tells it what the interpreter is like
// (collector.h, remains.h), and false means that it is not. serve(prepare,
// begin, exit, namespace) forks until the server is gone, and in each fork
//
//   prepare()              while nobody waits for it
//   begin(argv, environ)   -> the path of the program; None: not in a fork
//   the program, as `python3 FILE` runs it
//   exit()                 what atexit does
//
// The end is Py_FinalizeEx(), which has `namespace` no more, unless nobody can
// tell whether it was (remains.h): it writes to every object that there is, and
// each page of those would be copied first.
//
// The program runs in a thread state of its own: the template's has the frames
// of what called serve(), which a program would see (sys._getframe(),
// traceback.print_stack()).

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <initializer_list>

#include "sandbox/warm/fork_point.h"
#include "sandbox/warm/python/collector.h"
#include "sandbox/warm/python/python_api.h"
#include "sandbox/warm/python/remains.h"
#include "sandbox/warm/template_restriction.h"

namespace cordon::sandbox {
namespace {

// Modules/main.c
constexpr int kExitWithoutFile = 2;
constexpr int kExitOfFailedFlush = 120;
constexpr int kExitOfInterrupt = 130;

struct Callbacks {
  PyObject* prepare = nullptr;
  PyObject* begin = nullptr;
  PyObject* exit = nullptr;
  PyObject* namespace_of_these = nullptr;
};

// gc.get_count() of a new interpreter on its program's first line, and how much
// of it comes between the beginning of a fork's program and there.
int counts[3];
constexpr int kMadeBeforeFirstLine = 24;

// Whether the program asked to be told what the interpreter does
// (sys.addaudithook()), its end included.
bool is_audited;

int LookForAudit(const char* event, PyObject*, void*) {
  if (strcmp(event, "sys.addaudithook") == 0) is_audited = true;
  return 0;
}

// Before the program began: the server sees the fork end, and executes the
// program. Without a word: standard error is the program's by now.
[[noreturn]] void GiveUp() { _exit(1); }

PyObject* CallOrGiveUp(PyObject* callable, const char* format,
                       PyObject* first = nullptr, PyObject* second = nullptr) {
  PyObject* const result =
      PyObject_CallFunction(callable, format, first, second);
  if (result == nullptr) GiveUp();
  return result;
}

// A thread has one state at a time, and a new one is its own (what PyGILState
// remembers) only if it has none. Another one is there meanwhile, since an
// interpreter without any starts from the beginning.
void TakeFreshThreadState() {
  PyThreadState* const old = PyThreadState_Get();
  PyThreadState* const other =
      PyThreadState_New(PyThreadState_GetInterpreter(old));
  PyThreadState_Clear(old);
  PyThreadState_DeleteCurrent();
  PyGILState_Ensure();
  PyThreadState_Clear(other);
  PyThreadState_Delete(other);
}

// Bytes, since it is the interpreter's rules by which they become text.
PyObject* ListOf(char* const* strings) {
  PyObject* const list = PyList_New(0);
  for (; *strings != nullptr; ++strings) {
    PyObject* const bytes = PyBytes_FromString(*strings);
    if (bytes == nullptr || PyList_Append(list, bytes) != 0) GiveUp();
    Py_DecRef(bytes);
  }
  return list;
}

// Of the exit's value what sys.exit() documents: none is 0, a number itself,
// anything else is printed.
int ExitCodeOf(PyObject* value) {
  if (value == &_Py_NoneStruct) return 0;
  constexpr unsigned long kLongSubclass = 1UL << 24;
  PyObject* const type = PyObject_Type(value);
  const bool is_number = (PyType_GetFlags(type) & kLongSubclass) != 0;
  Py_DecRef(type);
  if (is_number) return static_cast<int>(PyLong_AsLong(value));
  PyObject* const stream = PySys_GetObject("stderr");
  if (stream != nullptr && stream != &_Py_NoneStruct) {
    PyFile_WriteObject(value, stream, kPrintRaw);
  }
  PyErr_Clear();
  PySys_WriteStderr("\n");
  return 1;
}

int ExitCodeOfRaised() {
  fflush(stdout);
  PyObject* type;
  PyObject* value;
  PyObject* traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  PyObject* code = PyObject_GetAttrString(value, "code");
  if (code == nullptr) {
    PyErr_Clear();
    code = value;
    Py_IncRef(code);
  }
  const int exit_code = ExitCodeOf(code);
  Py_DecRef(code);
  Py_DecRef(value);
  Py_DecRef(type);
  Py_DecRef(traceback);
  return exit_code;
}

// A program that leaves by SystemExit leaves there: the interpreter does not
// come to look whether it was interrupted.
enum class Ended { kItself, kBySystemExit };

struct ProgramEnd {
  int exit_code = 0;
  Ended ended = Ended::kItself;
};

// What was raised, if anything, stays so.
void FlushStreams() {
  PyObject* type;
  PyObject* value;
  PyObject* traceback;
  PyErr_Fetch(&type, &value, &traceback);
  for (const char* const name : {"stderr", "stdout"}) {
    PyObject* const stream = PySys_GetObject(name);
    if (stream == nullptr) continue;
    PyObject* const result = PyObject_CallMethod(stream, "flush", nullptr);
    if (result == nullptr) {
      PyErr_Clear();
    } else {
      Py_DecRef(result);
    }
  }
  PyErr_Restore(type, value, traceback);
}

// As PyRun_AnyFile does, but for its end: it would destroy the whole
// interpreter, and with it the memory that is shared with the template.
ProgramEnd RunProgram(const char* path) {
  FILE* const file = fopen(path, "rb");
  PyObject* const main = PyModule_GetDict(PyImport_AddModule("__main__"));
  // It was there a moment ago.
  if (file == nullptr) return {.exit_code = kExitWithoutFile};
  PyCompilerFlags flags = {0, 11};
  PyObject* const result = PyRun_FileExFlags(file, path, kFileInput, main, main,
                                             /*closes=*/1, &flags);
  FlushStreams();
  ProgramEnd end;
  if (result == nullptr && PyErr_ExceptionMatches(PyExc_SystemExit) != 0) {
    end.exit_code = ExitCodeOfRaised();
    end.ended = Ended::kBySystemExit;
    return end;
  }
  if (result == nullptr) {
    end.exit_code = 1;
    PyErr_Print();
  } else {
    Py_DecRef(result);
  }
  for (const char* const name : {"__file__", "__cached__"}) {
    if (PyDict_DelItemString(main, name) != 0) PyErr_Clear();
  }
  return end;
}

bool HasOtherThreads() {
  PyThreadState* const head = PyInterpreterState_ThreadHead(
      PyThreadState_GetInterpreter(PyThreadState_Get()));
  return PyThreadState_Next(head) != nullptr;
}

// Threads that a program has not said not to wait for (daemon=True).
void AwaitThreads() {
  PyObject* const modules = PySys_GetObject("modules");
  PyObject* const threading =
      modules == nullptr ? nullptr : PyDict_GetItemString(modules, "threading");
  if (threading == nullptr) return;
  PyObject* const result = PyObject_CallMethod(threading, "_shutdown", nullptr);
  if (result == nullptr) PyErr_WriteUnraisable(threading);
}

enum class Flaws { kReport, kIgnore };

// Whether the stream took everything; one that is not there, or closed, did.
bool Flush(const char* name, Flaws flaws) {
  PyObject* const stream = PySys_GetObject(name);
  if (stream == nullptr || stream == &_Py_NoneStruct) return true;
  PyObject* const closed = PyObject_GetAttrString(stream, "closed");
  if (closed == nullptr) PyErr_Clear();
  if (closed != nullptr && PyObject_IsTrue(closed) == 1) return true;
  if (PyObject_CallMethod(stream, "flush", nullptr) != nullptr) return true;
  if (flaws == Flaws::kReport) {
    PyErr_WriteUnraisable(stream);
  } else {
    PyErr_Clear();
  }
  return false;
}

// With everything where a new interpreter has it, and nothing of ours.
bool Finalize(const Callbacks& callbacks) {
  ThawCollector();
  ForgetHarmless();
  PyDict_Clear(callbacks.namespace_of_these);
  for (PyObject* const held : {callbacks.prepare, callbacks.begin,
                               callbacks.exit, callbacks.namespace_of_these}) {
    Py_DecRef(held);
  }
  return Py_FinalizeEx() == 0;
}

// Only the interpreter itself can stop threads that go on.
bool NobodyCouldTell() {
  return !HasOtherThreads() && !is_audited && RemainsAreHarmless();
}

// What Py_FinalizeEx() does that a program can see, in its order. Looks before
// anything is done, so that nothing is done twice, and again when functions of
// the program may have run.
bool End(const Callbacks& callbacks) {
  if (!NobodyCouldTell()) return Finalize(callbacks);
  AwaitThreads();
  if (PyObject_CallFunction(callbacks.exit, nullptr) == nullptr) PyErr_Clear();
  if (!NobodyCouldTell()) return Finalize(callbacks);
  bool flushed = Flush("stdout", Flaws::kReport);
  flushed = Flush("stderr", Flaws::kIgnore) && flushed;
  // What a program has put in their place is gone by then.
  flushed = Flush("__stdout__", Flaws::kIgnore) && flushed;
  return Flush("__stderr__", Flaws::kIgnore) && flushed;
}

[[noreturn]] void Leave(const ProgramEnd& program, const Callbacks& callbacks) {
  int exit_code = End(callbacks) ? program.exit_code : kExitOfFailedFlush;
  // Py_RunMain
  if (program.ended == Ended::kItself && _Py_UnhandledKeyboardInterrupt != 0) {
    signal(SIGINT, SIG_DFL);
    kill(getpid(), SIGINT);
    exit_code = kExitOfInterrupt;
  }
  exit(exit_code);
}

// Where the C library keeps the id of its only thread, which is where the
// kernel was told to clear it (set_tid_address(2)). Null where the kernel does
// not say.
int* ThreadId() {
  int* address = nullptr;
  if (prctl(PR_GET_TID_ADDRESS, &address) != 0 || address == nullptr ||
      *address != static_cast<int>(syscall(SYS_gettid))) {
    return nullptr;
  }
  return address;
}

// Where the kernel finds the arguments that `ps` shows (proc_pid_stat(5),
// "arg_start" and "arg_end"); empty where it does not say.
struct ArgumentArea {
  char* begin = nullptr;
  size_t size = 0;
};

ArgumentArea FindArguments() {
  FILE* const stat = fopen("/proc/self/stat", "re");
  if (stat == nullptr) return {};
  char line[2048];
  const size_t size = fread(line, 1, sizeof(line) - 1, stat);
  fclose(stat);
  line[size] = '\0';
  // Behind the name, which may hold anything, comes the third field.
  const char* at = strrchr(line, ')');
  constexpr int kBegin = 48;
  for (int field = 2; at != nullptr && field < kBegin; ++field) {
    at = strchr(at + 1, ' ');
  }
  if (at == nullptr) return {};
  char* next;
  const unsigned long begin = strtoul(at, &next, 10);
  const unsigned long end = strtoul(next, nullptr, 10);
  if (begin == 0 || end <= begin) return {};
  return {reinterpret_cast<char*>(begin), end - begin};
}

// As many of them as there is room for.
void ShowArguments(const ArgumentArea& area, char* const* arguments) {
  size_t used = 0;
  for (; *arguments != nullptr; ++arguments) {
    const size_t size = strlen(*arguments) + 1;
    if (size > area.size - used) break;
    memcpy(area.begin + used, *arguments, size);
    used += size;
  }
  if (used > 0) memset(area.begin + used, 0, area.size - used);
}

PyObject* Restrict(PyObject*, PyObject*) {
  return PyBool_FromLong(CordonRestrictTemplate() ? 1 : 0);
}

PyObject* Expect(PyObject*, PyObject* arguments) {
  PyObject* garbage;
  PyObject* callbacks;
  ptrdiff_t frozen;
  PyObject* types;
  PyObject* forgetters;
  if (PyArg_ParseTuple(arguments, "OOn(iii)OO", &garbage, &callbacks, &frozen,
                       &counts[0], &counts[1], &counts[2], &types,
                       &forgetters) == 0) {
    return nullptr;
  }
  counts[0] -=
      counts[0] < kMadeBeforeFirstLine ? counts[0] : kMadeBeforeFirstLine;
  const bool is_as_expected = FindCollector(garbage, callbacks, frozen) &&
                              LearnHarmless(types, forgetters) &&
                              PySys_AddAuditHook(&LookForAudit, nullptr) == 0;
  return PyBool_FromLong(is_as_expected ? 1 : 0);
}

PyObject* Serve(PyObject*, PyObject* arguments) {
  Callbacks call;
  if (PyArg_ParseTuple(arguments, "OOOO", &call.prepare, &call.begin,
                       &call.exit, &call.namespace_of_these) == 0) {
    return nullptr;
  }
  for (PyObject* const kept :
       {call.prepare, call.begin, call.exit, call.namespace_of_these}) {
    Py_IncRef(kept);
  }
  const CordonForkHooks hooks = {&PyOS_BeforeFork, &PyOS_AfterFork_Parent,
                                 ThreadId()};
  const ArgumentArea shown = FindArguments();
  if (!CordonServeForks(&hooks)) _exit(0);
  PyOS_AfterFork_Child();
  TakeFreshThreadState();
  Py_DecRef(CallOrGiveUp(call.prepare, nullptr));
  const CordonProgram* const program = CordonAwaitProgram();
  environ = program->environment;
  ShowArguments(shown, program->arguments);
  PyObject* const path =
      CallOrGiveUp(call.begin, "NN", ListOf(program->arguments),
                   ListOf(program->environment));
  if (path == &_Py_NoneStruct) {
    CordonReportStart(/*starts=*/false);
    _exit(0);
  }
  char* const path_text = strdup(PyBytes_AsString(path));
  Py_DecRef(path);
  RememberStreams();
  SetCollectorCounts(counts);
  CordonReportStart(/*starts=*/true);
  Leave(RunProgram(path_text), call);
}

PyMethodDef methods[] = {{"restrict", &Restrict, kMethVarargs, nullptr},
                         {"expect", &Expect, kMethVarargs, nullptr},
                         {"serve", &Serve, kMethVarargs, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
PyModuleDef definition = {.reference_count = 1,
                          .name = "cordon_fork_point",
                          .size = -1,
                          .methods = methods};

}  // namespace

extern "C" __attribute__((visibility("default"))) PyObject*
PyInit_cordon_fork_point() {
  return PyModule_Create2(&definition, kPythonApiVersion);
}

}  // namespace cordon::sandbox
