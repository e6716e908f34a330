// A fork of a template is to its program what `python3 main.py` is: each of
// these runs both ways, and nothing that it prints, and no end that it comes
// to, tells the two apart.

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/kernel/both_ways.h"

namespace cordon::testing {
namespace {

class SameAsExecuted : public ::testing::TestWithParam<PythonProgram> {};

TEST_P(SameAsExecuted, Program) {
  const BothWays run = RunBothWays(GetParam());
  EXPECT_EQ(run.forked, run.executed);
}

std::vector<PythonProgram> Programs() {
  return {
      {"Nothing", ""},
      {"Output", "print('hello'); print('ä€', end='')"},
      {"OutputToBoth",
       "import sys\nprint('out'); print('err', file=sys.stderr)"},
      {"ExitCode", "import sys\nsys.exit(7)"},
      {"ExitCodeOfMany", "import sys\nsys.exit(256 + 5)"},
      {"ExitNegative", "import sys\nsys.exit(-1)"},
      {"ExitTrue", "import sys\nsys.exit(True)"},
      {"ExitNone", "import sys\nsys.exit()"},
      {"ExitText", "import sys\nprint('x')\nsys.exit('some words')"},
      {"ExitRaised", "raise SystemExit({'a': 1})"},
      {"ExitOfSubclass", "class E(SystemExit):\n  pass\nraise E(9)"},
      {"ExitByBuiltin", "print('x')\nexit(4)"},
      {"ExitAtOnce", "import os\nprint('lost')\nos._exit(5)"},
      {"Traceback", "def f(x):\n  return 1 / x\n\ndef g():\n  f(0)\n\ng()\n"},
      {"TracebackOfChain",
       "try:\n  {}['k']\nexcept KeyError as e:\n  raise ValueError('v') from "
       "e"},
      {"TracebackInImported", "import json\njson.loads('{')"},
      {"SyntaxError", "x = = 1\n"},
      {"IndentationError", "if 1:\nx = 1\n"},
      {"NotUtf8", "# \xff\nprint(1)\n"},
      {"Encoding", "# -*- coding: latin-1 -*-\nprint('\xe4')\n"},
      {"NulByte", std::string("print(1)\n\0print(2)\n", 20)},
      {"ByteOrderMark", "\xef\xbb\xbfprint('bom')\n"},
      {"WindowsLines", "print('a')\r\nprint('b')\r\n"},
      {"NoLastLine", "print('a')\nprint('b')"},
      {"ExceptionGroup",
       "raise ExceptionGroup('g', [ValueError(1), TypeError(2)])"},
      {"KeyboardInterrupt", "raise KeyboardInterrupt"},
      {"AKindOfKeyboardInterrupt", "class K(KeyboardInterrupt): pass\nraise K"},
      {"CodeAfterAnInterrupt",
       "import atexit\natexit.register(exec, '1')\nraise KeyboardInterrupt"},
      {"AnInterruptOfExecutedCode",
       "try: exec('raise KeyboardInterrupt')\nexcept KeyboardInterrupt: pass"},
      {"ExitAfterAnInterruptOfExecutedCode",
       "try: exec('raise KeyboardInterrupt')\n"
       "except KeyboardInterrupt: raise SystemExit(3)"},
      {"Interrupted",
       "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\n"
       "time.sleep(9)"},
      {"Terminated", "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)"},
      {"Aborted", "import os\nos.abort()"},
      {"SegmentationFault",
       "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)"},
      {"HandledSignal",
       "import os, signal\nsignal.signal(signal.SIGUSR1, lambda *a: "
       "print('got', a[0]))\nos.kill(os.getpid(), signal.SIGUSR1)"},
      {"SignalDispositions",
       "import signal\n"
       "for s in signal.valid_signals(): print(s, signal.getsignal(s))\n"
       "print(signal.pthread_sigmask(signal.SIG_BLOCK, []))"},
      {"SignalsOfTheKernel",
       "import ctypes, struct\nl = ctypes.CDLL(None)\n"
       "for s in range(1, 65):\n"
       "  old = (ctypes.c_ulong * 4)()\n"
       "  if l.syscall(13, s, None, old, 8) == 0:\n"
       "    print(s, old[0] if old[0] < 2 else 'handler', hex(old[3]))\n"
       "mask = ctypes.c_ulong()\nl.syscall(14, 0, None, ctypes.byref(mask), "
       "8)\n"
       "pending = ctypes.c_ulong()\nl.syscall(127, ctypes.byref(pending), 8)\n"
       "print(mask.value, pending.value)"},
      {"FileTooLong",
       "f = open('out', 'wb')\nf.write(b'x' * (65 << 20))\nf.flush()"},
      {"Input", "print(input()[::-1])\nprint(input())", "abc\nsecond\n"},
      {"InputEnds", "input()"},
      {"InputAsFile",
       "import sys\nprint(sys.stdin.read(3), sys.stdin.buffer.read())",
       "abcdef"},
      {"InputLines",
       "import sys\nfor line in sys.stdin: print(len(line), line.strip())",
       "a\nbb\nccc"},
      {"Arguments",
       "import sys\nprint(sys.argv, sys.orig_argv)",
       "",
       {"one", "two words", "", "ä", "\xff"}},
      {"Environment",
       "import os\nprint(sorted((k, v) for k, v in os.environ.items() if k not "
       "in ('HOME', 'TMPDIR')))\nprint(os.environ['HOME'] == os.getcwd())\n"
       "import subprocess\nprint(os.getenv('A'), os.environb.get(b'B'))\n"
       "os.environ['C'] = 'see'; os.unsetenv('A')\nprint(subprocess.run(['sh', "
       "'-c', 'echo $A $B $C'], capture_output=True).stdout)",
       "",
       {},
       {"A=1", "B=x y", "A=2"}},
      {"EnvironmentOfC",
       "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.getenv.restype = "
       "ctypes.c_char_p\nprint(libc.getenv(b'A'), libc.getenv(b'NONE'))",
       "",
       {},
       {"A=1"}},
      {"MainModule",
       "import sys\nm = sys.modules['__main__']\nprint(__name__, "
       "m.__dict__ is globals())\nfor k, v in list(globals().items()): "
       "print(k, "
       "v if k != 'm' else '')"},
      {"UserSite",
       "import site, sys\nprint(site.USER_SITE, site.USER_BASE, "
       "site.ENABLE_USER_SITE, site.getusersitepackages())"},
      {"Spec",
       "print(__spec__, __package__, __doc__, __annotations__, __file__)\n"
       "print(__loader__.path, __loader__.name, __builtins__)"},
      {"Annotations", "x: int = 3\nprint(__annotations__)"},
      {"Docstring", "'words'\nprint(__doc__)"},
      {"Frames",
       "import sys, traceback, inspect\nprint(sys._getframe(0).f_back)\n"
       "traceback.print_stack()\nprint(len(inspect.stack()))"},
      {"Path",
       "import sys, os\nprint(sys.path)\nprint(sys.path[0] == os.getcwd())\n"
       "import neighbour\nprint(neighbour.value, neighbour.__file__)"},
      {"PathCaches",
       "import sys\nprint(sorted(sys.path_importer_cache)[:2])\n"
       "print(sys.meta_path, sys.path_hooks)"},
      {"Flags",
       "import sys\nprint(sys.flags, sys.warnoptions, sys._xoptions)\n"
       "print(sys.executable, sys.prefix, sys.version, sys.dont_write_bytecode)"
       "\nprint(sys.getrecursionlimit(), sys.getswitchinterval())"},
      {"Streams",
       "import sys\nfor s in (sys.stdin, sys.stdout, sys.stderr):\n"
       "  print(s, s.encoding, s.errors, s.line_buffering, s.write_through,\n"
       "        s.newlines, s.isatty(), s.fileno(), s.seekable(), "
       "s.readable(),\n"
       "        s.writable(), s.buffer, s.buffer.raw, s.buffer.raw.closefd)\n"
       "print(sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__)"},
      {"StreamsWithInput",
       "import sys\ns = sys.stdin\nprint(s, s.seekable(), s.buffer.peek(9))",
       "words"},
      {"Buffering",
       "import os, sys\nprint('buffered')\nos.write(1, b'at once\\n')\n"
       "sys.stderr.write('err')\nos.write(2, b'after')"},
      {"BrokenOutput",
       "import os, sys\nr, w = os.pipe()\nos.close(r)\nos.dup2(w, 1)\n"
       "print('nobody reads this')"},
      {"ClosedOutput", "import sys\nprint('x')\nsys.stdout.close()"},
      {"ClosedDescriptor", "import os\nprint('x')\nos.close(1)"},
      {"DeletedOutput", "import sys\nprint('x')\ndel sys.stdout"},
      {"ReplacedOutput",
       "import sys, io\nsys.stdout = io.StringIO()\nprint('nowhere')\n"
       "print('there', file=sys.__stdout__)"},
      {"AtExit",
       "import atexit\natexit.register(print, 'first')\n"
       "@atexit.register\ndef f(): print('last', __name__)"},
      {"AtExitRaises",
       "import atexit\natexit.register(lambda: 1 / 0)\n"
       "atexit.register(print, 'still')"},
      {"AtExitAfterError",
       "import atexit\natexit.register(print, 'bye')\n1 / 0"},
      {"AtExitAfterExit",
       "import atexit, sys\natexit.register(print, 'bye')\nsys.exit(3)"},
      {"AtExitSeesFile",
       "import atexit\natexit.register(lambda: print('__file__' in "
       "globals()))"},
      {"AtExitExits",
       "import atexit, sys\natexit.register(lambda: sys.exit(9))"},
      {"Destructor",
       "class A:\n  def __del__(self): print('gone', self.n, len('x'))\n"
       "a = A(); a.n = 1\nb = A(); b.n = 2"},
      {"DestructorOfCycle",
       "class A:\n  def __del__(self): print('gone')\na = A(); a.me = a"},
      {"DestructorUsesGlobal",
       "word = 'hello'\nimport json\nclass A:\n  def __del__(self): "
       "print(json.dumps(word))\na = A()"},
      {"DestructorInLocals",
       "class A:\n  def __del__(self): print('gone')\n"
       "def f():\n  a = A()\n  1 / 0\nf()"},
      {"DestructorInModule",
       "import neighbour\nclass A:\n  def __del__(self): print('gone')\n"
       "neighbour.a = A()"},
      {"Finalizer",
       "import weakref\nclass A: pass\na = A()\n"
       "weakref.finalize(a, print, 'finalized')"},
      {"FileNotClosed", "f = open('out', 'w')\nf.write('content')"},
      {"FileOfModule",
       "import json\njson.f = open('out', 'w')\njson.f.write('content')"},
      {"Threads",
       "import threading, time\ndef f():\n  time.sleep(0.05)\n  print('late')\n"
       "threading.Thread(target=f).start()\nprint('main ends', "
       "threading.active_count())"},
      {"MainThread",
       "import threading, os\nt = threading.main_thread()\n"
       "print(t is threading.current_thread(), t.name, t.is_alive(),\n"
       "      t.native_id == os.getpid(), t.ident == threading.get_ident(),\n"
       "      threading.enumerate() == [t])"},
      {"DaemonThread",
       "import threading, time\nthreading.Thread(target=time.sleep, "
       "args=(99,), "
       "daemon=True).start()\nprint('ends')"},
      {"ThreadRaises",
       "import threading\nt = threading.Thread(target=lambda: 1 / 0, "
       "name='T')\n"
       "t.start(); t.join(); print('on')"},
      {"Fork",
       "import os\nif os.fork() == 0:\n  print('child'); os._exit(0)\n"
       "os.wait(); print('parent')"},
      {"ForkToTheEnd",
       "import os, sys\npid = os.fork()\nif pid: os.waitpid(pid, 0)\n"
       "print('child' if pid == 0 else 'parent')"},
      {"Subprocess",
       "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', "
       "'print(3)'], capture_output=True, text=True).stdout)"},
      {"Multiprocessing",
       "import multiprocessing as m\ndef f(q): q.send(__name__)\n"
       "if __name__ == '__main__':\n  m.set_start_method('fork')\n"
       "  a, b = m.Pipe()\n  p = m.Process(target=f, args=(b,))\n  p.start()\n"
       "  print(a.recv()); p.join(); print(p.exitcode)"},
      {"MultiprocessingSpawn",
       "import multiprocessing as m\ndef f(q): q.send(__name__)\n"
       "if __name__ == '__main__':\n  m.set_start_method('spawn')\n"
       "  a, b = m.Pipe()\n  p = m.Process(target=f, args=(b,))\n  p.start()\n"
       "  print(a.recv()); p.join(); print(p.exitcode)"},
      {"Pickle",
       "import pickle\nclass A:\n  x = 1\n"
       "p = pickle.dumps(A())\nprint(p, pickle.loads(p).__class__)"},
      {"Dataclass",
       "from dataclasses import dataclass\n@dataclass\nclass P:\n  x: int\n"
       "print(P(3), P.__module__)"},
      {"Source",
       "import inspect\ndef f():\n  return 1\nprint(inspect.getsource(f), "
       "inspect.getfile(f))\nprint(inspect.getmodule(f).__name__)"},
      {"Warnings",
       "import warnings\nwarnings.warn('w')\nwarnings.warn('d', "
       "DeprecationWarning)"},
      {"Logging",
       "import logging\nlogging.warning('w %d', 1)\nlogging.info('i')"},
      {"Recursion",
       "def f(n):\n  try: return f(n + 1)\n  except RecursionError: return n\n"
       "print(f(0))"},
      {"Collector",
       "import gc\nprint(gc.isenabled(), gc.get_threshold(), gc.garbage, "
       "gc.get_debug())"},
      {"Hooks",
       "import sys\nprint(sys.gettrace(), sys.getprofile(), sys.excepthook, "
       "sys.displayhook, sys.unraisablehook)\nsys.excepthook = lambda *a: "
       "print('hooked', a[0])\n1 / 0"},
      {"Unraisable", "class A:\n  def __del__(self): 1 / 0\nA()"},
      {"KeptByTyping",
       "from typing import Optional\nclass A:\n"
       "  def __del__(self): print('gone')\n"
       "def f(x) -> Optional[A]: return x\na = f(A())"},
      {"AGeneratorsEnd",
       "from typing import List\nclass A: pass\ndef f(x: List[A]): pass\n"
       "def g():\n  try: yield 1\n  finally: print('end')\nx = g(); next(x)"},
      {"AnArchiveLeftOpen",
       "import gzip\nfrom typing import Optional\nclass R: pass\n"
       "def f(x) -> Optional[R]: return x\n"
       "out = gzip.GzipFile('out.gz', 'wb', 9, None, 0)\n"
       "out.write(b'data' * 999)"},
      {"AFileOnAModule",
       "import io, json, os\nclass W(io.TextIOWrapper): pass\n"
       "json.f = W(os.fdopen(os.dup(1), 'wb'))\njson.f.write('kept')"},
      {"Codecs", "print('ä'.encode(), open('out', 'w').encoding)"},
      {"Directory",
       "import os\nprint(os.getcwd() == os.path.dirname(__file__), "
       "sorted(os.listdir('.')), os.umask(0))"},
      {"Descriptors",
       "import os\nfor fd in range(3, 256):\n  try: print(fd, os.fstat(fd))\n"
       "  except OSError: pass"},
      {"Limits",
       "import resource as r\nfor n in sorted(dir(r)):\n"
       "  if n.startswith('RLIMIT'): print(n, r.getrlimit(getattr(r, n)))"},
      {"Process",
       "import os\nprint(os.getpgrp() == os.getpid(), os.getsid(0) == "
       "os.getpid(), os.getpriority(os.PRIO_PROCESS, 0), "
       "os.sched_getaffinity(0), os.getgroups())\nimport ctypes\n"
       "name = ctypes.create_string_buffer(16)\nl = ctypes.CDLL(None)\n"
       "l.prctl(16, name)\nprint(name.value, l.prctl(3), l.prctl(39))"},
      {"Asyncio",
       "import asyncio\nasync def f():\n  await asyncio.sleep(0)\n  return 5\n"
       "print(asyncio.run(f()))"},
      {"Executor",
       "from concurrent.futures import ThreadPoolExecutor as T\n"
       "with T(2) as t: print(list(t.map(len, ['a', 'bb'])))"},
      {"CtypesCallback",
       "import ctypes\nC = ctypes.CFUNCTYPE(ctypes.c_int, "
       "ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))\n"
       "a = (ctypes.c_int * 3)(3, 1, 2)\nctypes.CDLL(None).qsort(a, 3, 4, "
       "C(lambda x, y: x[0] - y[0]))\nprint(list(a))"},
      {"Doctest",
       "def f(x):\n  '''\n  >>> f(1)\n  3\n  '''\n  return x\n"
       "import doctest\nprint(doctest.testmod())"},
      {"Unittest",
       "import unittest\nclass T(unittest.TestCase):\n  def test(self): "
       "self.assertEqual(1, 2)\nr = unittest.TestResult()\n"
       "unittest.defaultTestLoader.loadTestsFromName('__main__').run(r)\n"
       "print(r.failures[0])"},
      {"Breach",
       "import ctypes\nprint('x', flush=True)\n"
       "ctypes.CDLL(None).ptrace(16, 1, 0, 0)"},
      {"Denied", "open('/etc/passwd', 'w')"},
  };
}

INSTANTIATE_TEST_SUITE_P(Programs, SameAsExecuted,
                         ::testing::ValuesIn(Programs()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace cordon::testing
