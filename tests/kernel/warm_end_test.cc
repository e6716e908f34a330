// What a program leaves behind when it ends comes to the same end in a fork of
// a template as in `python3 main.py`: what is written, printed and raised then,
// and in which order.

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "tests/kernel/both_ways.h"

namespace cordon::testing {
namespace {

class EndsAsExecuted : public ::testing::TestWithParam<PythonProgram> {};

TEST_P(EndsAsExecuted, Program) {
  const BothWays run = RunBothWays(GetParam());
  EXPECT_EQ(run.forked, run.executed);
}

// Objects that say that they go.
std::string WithClass(absl::string_view code) {
  return absl::StrCat(
      "class D:\n"
      "  def __init__(self, n): self.n = n\n"
      "  def __del__(self): print('gone', self.n)\n",
      code);
}

std::vector<PythonProgram> Programs() {
  return {
      {"ATextInAnArchive",
       "import io, gzip\n"
       "out = io.TextIOWrapper(gzip.GzipFile('out.gz','wb',9,None,0))\n"
       "out.write('hello')\n"
       "def f(): pass"},
      {"ATextInAnArchiveAlone",
       "import io, gzip\n"
       "out = io.TextIOWrapper(gzip.GzipFile('out.gz','wb',9,None,0))\n"
       "out.write('hello')"},
      {"ARawFileOfItsOwn",
       "import io,os\n"
       "class R(io.RawIOBase):\n"
       "  def __init__(s): s.fd=os.open('out',os.O_WRONLY|os.O_CREAT)\n"
       "  def writable(s): return True\n"
       "  def write(s,b): return os.write(s.fd,b)\n"
       "  def close(s):\n"
       "    print('closing',s.closed); super().close()\n"
       "b=io.BufferedWriter(R()); b.write(b'abc'*100)"},
      {"AZipFile",
       "import zipfile\n"
       "z=zipfile.ZipFile('out.zip','w'); "
       "z.writestr(zipfile.ZipInfo('a'),'x'*100)\n"
       "def f():pass"},
      {"ACsvWriter",
       "import csv\n"
       "w=csv.writer(open('out.csv','w')); w.writerow([1,2,3])\n"
       "def f(): pass"},
      {"TemporaryFiles",
       "import tempfile,os\n"
       "os.makedirs('t');tempfile.tempdir='t'\n"
       "f=tempfile.NamedTemporaryFile(); f.write(b'x')\n"
       "g=tempfile.TemporaryFile(); d=tempfile.TemporaryDirectory(); "
       "s=tempfile.SpooledTemporaryFile()\n"
       "g.write(b'y'); print(len(os.listdir('t')))"},
      {"ATransaction",
       "import sqlite3\n"
       "c=sqlite3.connect('out.db'); c.execute('create table t(a)'); "
       "c.commit(); c.execute('insert into t values(1)')"},
      {"ATransactionInACycle",
       "import sqlite3\n"
       "c=sqlite3.connect('out.db'); c.execute('create table t(a)'); "
       "c.commit(); c.execute('insert into t values(1)'); "
       "cur=c.execute('select 1')\n"
       "def f(): return c"},
      {"HandlersOfLogs",
       "import logging, logging.handlers\n"
       "logging.basicConfig(filename='out.log')\n"
       "m=logging.handlers.MemoryHandler(100,target=logging.FileHandler('out2."
       "log'))\n"
       "logging.getLogger('x').addHandler(m)\n"
       "logging.getLogger('x').warning('w')"},
      {"AShelf",
       "import shelve, dbm.dumb\n"
       "s=shelve.Shelf(dbm.dumb.open('out')); s['a']=[1,2]"},
      {"AShelfThatWritesBack",
       "import shelve, dbm.dumb\n"
       "s=shelve.Shelf(dbm.dumb.open('out'),writeback=True); s['a']=[1]; "
       "s['a'].append(2)\n"
       "def f(): return s"},
      {"ADatabase",
       "import dbm.dumb\n"
       "d=dbm.dumb.open('out'); d[b'a']=b'1'"},
      {"AnotherArchive",
       "import bz2,io\n"
       "f=bz2.BZ2File('out.bz2','wb'); f.write(b'x'*1000)\n"
       "t=bz2.open('o2.bz2','wt'); t.write('abc')\n"
       "def f_():pass"},
      {"AThirdArchive",
       "import lzma\n"
       "f=lzma.open('out.xz','wt'); f.write('x'*1000)"},
      {"AGeneratorWithAFile",
       "def g():\n"
       "  with open('out','w') as f:\n"
       "    f.write('start')\n"
       "    try:\n"
       "      yield 1\n"
       "    finally:\n"
       "      f.write('end'); print('closing gen')\n"
       "x=g(); next(x)"},
      {"Generators",
       "def g():\n"
       "  try: yield\n"
       "  finally: print('fin', __name__)\n"
       "y=[g() for _ in range(3)]\n"
       "for i in y: next(i)"},
      {"AnAsynchronousGenerator",
       "async def g():\n"
       "  try:\n"
       "    yield 1\n"
       "  finally: print('fin')\n"
       "x=g()\n"
       "try: x.__anext__().send(None)\n"
       "except StopIteration: pass"},
      {"ACoroutineThatNobodyAwaited",
       "async def c(): pass\n"
       "x=c()"},
      {"ADestructorThatWrites",
       "f=open('out','w')\n"
       "class A:\n"
       "  def __del__(self): f.write('from del'); print(f.closed)\n"
       "a=A()"},
      {"ADestructorThatWritesToItsOwn",
       "class A:\n"
       "  def __del__(self): self.f.write('from del')\n"
       "a=A()\n"
       "a.f=open('out','w')"},
      {"CyclesAndNames", WithClass("b=D('b');a=D('a');b.x=a;a.x=b\n"
                                   "z=D('z');_p=D('_p')\n"
                                   "lst=[D(i) for i in range(5)]")},
      {"WhatGlobalsAre",
       "x='v'\n"
       "import json\n"
       "class A:\n"
       "  def __del__(self): print(x,json,A,len)\n"
       "_a=A();a=A()\n"
       "import sys\n"
       "sys.modules['json'].q=a"},
      {"CallbacksOfWeakReferences",
       "import weakref\n"
       "class A: pass\n"
       "a=A()\n"
       "r=weakref.ref(a,lambda r: print('cb'))\n"
       "b=A(); r2=weakref.ref(b,print)"},
      {"Finalizers",
       "import weakref\n"
       "class A: pass\n"
       "a=A()\n"
       "f=weakref.finalize(a,print,'x'); f.atexit=False\n"
       "b=A(); weakref.finalize(b,print,'y')"},
      {"WeakContainers",
       "import weakref\n"
       "class A: pass\n"
       "d=weakref.WeakValueDictionary(); a=A(); d[1]=a; "
       "s=weakref.WeakSet([a]); k=weakref.WeakKeyDictionary(); k[a]=1"},
      {"ImportAtTheEnd",
       "class A:\n"
       "  def __del__(self):\n"
       "    try:\n"
       "      import csv\n"
       "      print('ok')\n"
       "    except Exception as e: print(type(e),e)\n"
       "a=A()\n"
       "def f(): return a"},
      {"TheInterpretersState",
       "import sys\n"
       "class A:\n"
       "  def __del__(self): print(sys.is_finalizing(), sys.meta_path, "
       "sys.modules and 1, sys.path)\n"
       "a=A()"},
      {"ADetachedStream",
       "import sys\n"
       "sys.stdout.write('text')\n"
       "b=sys.stdout.detach(); b.write(b'more')"},
      {"AStreamAroundAnother",
       "import sys,io\n"
       "sys.stdout=io.TextIOWrapper(sys.stdout.buffer,encoding='latin-1'); "
       "print('é')"},
      {"AStreamOfItsOwn",
       "import sys\n"
       "class T:\n"
       "  def __init__(s,o): s.o=o\n"
       "  def write(s,x): s.o.write('['+x+']')\n"
       "  def flush(s): s.o.write('F'); s.o.flush()\n"
       "sys.stdout=T(sys.stdout); print('a')"},
      {"AnotherFileOfTheDescriptor",
       "import os\n"
       "f=open(1,'w',closefd=False); f.write('x'); print('y')"},
      {"AnAuditHook",
       "import sys\n"
       "f=open('/dev/null')\n"
       "sys.addaudithook(lambda e,a: print(e))"},
      {"ATraceFunction", WithClass("import logging, sys, threading\n"
                                   "a=D(1)\n"
                                   "def t(f,e,a): print(f.f_code.co_name,e)\n"
                                   "sys.settrace(t); sys.setprofile(t)")},
      {"ACallbackOfTheCollector",
       "import gc\n"
       "gc.callbacks.append(lambda p,i: print(p, i['generation']))"},
      {"GarbageThatIsKept",
       "import gc\n"
       "gc.set_debug(gc.DEBUG_SAVEALL)\n"
       "a=[];a.append(a);del a"},
      {"NoCollector", WithClass("import gc\n"
                                "gc.disable()\n"
                                "a=D(1);a.s=a\n"
                                "del a")},
      {"FrozenWithAnOpenFile",
       "import gc\n"
       "f = open('out', 'w'); f.write('kept')\n"
       "gc.freeze()"},
      {"FrozenAndNot",
       WithClass("import gc\n"
                 "a = D('frozen'); a.me = a\n"
                 "gc.freeze()\n"
                 "b = D('not'); b.me = b; f = open('out', 'w')")},
      {"ThawedAgain", WithClass("import gc\n"
                                "a = D('a'); a.me = a\n"
                                "gc.freeze(); gc.unfreeze()\n"
                                "f = open('out', 'w'); f.write('kept')")},
      {"ACallbackOfAProxy",
       "import weakref\n"
       "class A: pass\n"
       "a = A(); p = weakref.proxy(a, print)\n"
       "b = A(); r = weakref.ref(b, print)"},
      {"WarningsOfOpenFiles",
       "import warnings\n"
       "warnings.simplefilter('always')\n"
       "f=open('out','w')"},
      {"AClassesDestructor",
       "class M(type):\n"
       "  def __del__(c): print('class gone',c.__name__)\n"
       "class A(metaclass=M): pass"},
      {"LocalsOfATraceback", WithClass("def f():\n"
                                       "  d=D('local'); 1/0\n"
                                       "f()")},
      {"AnExceptionThatIsKept", WithClass("try:\n"
                                          "  d=D('x'); raise ValueError(d)\n"
                                          "except ValueError as e: keep=e")},
      {"AThreadThatGoesOn", WithClass("import threading,time\n"
                                      "a=D(1)\n"
                                      "threading.Thread(target=time.sleep,args="
                                      "(9,),daemon=True).start()")},
      {"DataOfAThread", WithClass("import threading\n"
                                  "l=threading.local(); l.x=D('tl')")},
      {"AContextVariable",
       WithClass("import contextvars\n"
                 "v=contextvars.ContextVar('v'); v.set(D('ctx'))")},
      {"ACache", WithClass("import functools\n"
                           "@functools.lru_cache\n"
                           "def f(x): return D(x)\n"
                           "f(1);f(2)")},
      {"APartialFunction", WithClass("import functools\n"
                                     "p=functools.partial(print,D(1))")},
      {"ADestructorThatCameLater",
       "class A: pass\n"
       "a=A()\n"
       "A.__del__=lambda s: print('late del')"},
      {"AProcess",
       "import subprocess\n"
       "p=subprocess.Popen(['sleep','0'])"},
      {"AHookForWhatIsRaised",
       "import sys\n"
       "sys.unraisablehook=lambda u: print('hook',u.exc_type)\n"
       "class A:\n"
       "  def __del__(self): 1/0\n"
       "a=A();b=A();b.x=b"},
      {"MadeAtExit",
       WithClass("import atexit\n"
                 "atexit.register(lambda: globals().__setitem__('q',D('q')))")},
      {"Names", WithClass("x1=D('x1'); _y=D('_y'); a0=D('a0'); A1=D('A1')")},
      {"NamesAndAFunction",
       WithClass("x1=D('x1'); _y=D('_y'); a0=D('a0'); A1=D('A1')\n"
                 "def f(): pass")},
      {"AModuleOfItsOwn",
       WithClass("import sys,types\n"
                 "m=types.ModuleType('own'); sys.modules['own']=m; m.d=D('in "
                 "own'); m.f=lambda: m")},
      {"AnEncoding",
       "f=open('out','w',encoding='utf-16'); f.write('abc')\n"
       "def g(): return f"},
      {"LayersOfAFile",
       "import io\n"
       "b=io.BufferedWriter(io.FileIO('out','w')); t=io.TextIOWrapper(b); "
       "t.write('x'*10)\n"
       "def g(): pass"},
      {"AFileThatIsReadToo",
       "f=open('out','w+'); f.write('abc'); f.seek(0); f.read(1)\n"
       "g=[f]; g.append(g)"},
      {"APairOfFiles",
       "import io,os\n"
       "r,w=os.pipe()\n"
       "p=io.BufferedRWPair(io.FileIO(r),io.FileIO(w,'w')); p.write(b'x')"},
      {"ATarFile",
       "import tarfile,io\n"
       "t=tarfile.open('out.tar','w'); i=tarfile.TarInfo('a'); i.size=3; "
       "t.addfile(i,io.BytesIO(b'abc'))"},
      {"FilesInPlace",
       "import fileinput\n"
       "open('out','w').write('a\\nb\\n')\n"
       "f=fileinput.input('out',inplace=True)\n"
       "for l in f:\n"
       "  print(l.upper(),end='')\n"
       "  break"},
      {"ARedirection",
       "import contextlib,sys\n"
       "c=contextlib.redirect_stdout(open('out','w')); c.__enter__(); "
       "print('in file')"},
      {"AnExitStack",
       "import contextlib\n"
       "s=contextlib.ExitStack(); f=s.enter_context(open('out','w')); "
       "f.write('z'); s.callback(print,'never')"},
      {"AContextManager",
       "import contextlib\n"
       "@contextlib.contextmanager\n"
       "def c():\n"
       "  try: yield\n"
       "  finally: print('cm end')\n"
       "x=c(); x.__enter__()"},
      {"APickler",
       "import pickle\n"
       "f=open('out','wb'); p=pickle.Pickler(f); p.dump([1]*10)"},
      {"ALoopsGenerators",
       "import asyncio\n"
       "async def g():\n"
       "  try:\n"
       "    yield 1\n"
       "    yield 2\n"
       "  finally: print('g fin')\n"
       "async def m():\n"
       "  async for x in g(): break\n"
       "asyncio.run(m())"},
      {"AQueue",
       "import queue\n"
       "q=queue.Queue(); q.put(open('out','w')); q.queue[0].write('qq')"},
      {"ATuple",
       "import collections\n"
       "P=collections.namedtuple('P','f')\n"
       "p=P(open('out','w')); p.f.write('q')"},
      {"ADataclass",
       "import dataclasses\n"
       "@dataclasses.dataclass\n"
       "class A:\n"
       "  f: object\n"
       "  def __del__(self): self.f.write('del'); print('d')\n"
       "a=A(open('out','w'))"},
      {"AnEnumeration",
       "import enum\n"
       "class E(enum.Enum):\n"
       "  A=open('out','w')\n"
       "E.A.value.write('e')"},
      {"AnAbstractClass",
       "import abc,collections.abc\n"
       "class A(abc.ABC):\n"
       "  def __del__(s): print('g')\n"
       "a=A(); isinstance(a,collections.abc.Mapping); "
       "isinstance(a,collections.abc.Iterable)"},
      {"FilesInMemory",
       "import io\n"
       "b=io.BytesIO(); t=io.TextIOWrapper(b); t.write('x'); s=io.StringIO()"},
      {"AFileInMemoryOfItsOwn",
       "import io\n"
       "class B(io.BytesIO):\n"
       "  def close(s): print('close',s.getvalue()); super().close()\n"
       "b=B(); b.write(b'x')"},
      {"BothSidesOfAFork",
       WithClass("import os\n"
                 "a=D('a')\n"
                 "p=os.fork()\n"
                 "if p: os.waitpid(p,0)\n"
                 "f=open('out%d'%(p==0),'w'); f.write('x')")},
      {"ADestructorThatCounts",
       "class A:\n"
       "  n=0\n"
       "  def __del__(s): A.n+=1; print(A.n)\n"
       "l=[A() for i in range(3)]"},
      {"AFunctionOfAModule",
       "import json\n"
       "json.dumps=lambda x: x\n"
       "f=open('out','w'); f.write('kept')"},
      {"ACycleOnAModule",
       "import json\n"
       "class A: pass\n"
       "a=A(); a.f=open('out','w'); a.f.write('kept'); a.me=a; json.a=a\n"
       "def f(): return a"},
      {"TwoThatKnowEachOther",
       "class A:\n"
       "  def __del__(self):\n"
       "    print(B, C)\n"
       "B=A(); C=A(); B.c=C; C.b=B\n"
       "def f(): pass"},
      {"WrittenAtTheLast",
       "import sys\n"
       "class A:\n"
       "  def __del__(self): sys.__stdout__ and sys.__stdout__.write('late')\n"
       "a=A(); a.a=a"},
  };
}

INSTANTIATE_TEST_SUITE_P(Programs, EndsAsExecuted,
                         ::testing::ValuesIn(Programs()),
                         [](const auto& info) { return info.param.name; });

// Makes programs of objects that hold each other and notice their end. They
// import only what an interpreter has at its start: what is imported ahead in
// the template makes no garbage in a fork, and so collections come at other
// times there.
class ProgramMaker {
 public:
  explicit ProgramMaker(unsigned seed) : random_(seed) {}

  std::string Make() {
    code_ =
        "import gc, io, sys\n"
        "class D:\n"
        "  def __init__(self, n): self.n = n\n"
        "  def __del__(self):\n"
        "    print('gone', self.n, V is None)\n"
        "    if self.n % 5 == 0: F.write('%d;' % self.n)\n"
        "class P: pass\n"
        "class S:\n"
        "  __slots__ = ('a', '__weakref__')\n"
        "  def __del__(self): print('slots')\n"
        "def gen(n, held):\n"
        "  try:\n    yield held\n    yield 2\n  finally: print('gen', n)\n"
        "V = 1\nF = open('out', 'w')\n";
    const int count = Below(37) + 3;
    for (int i = 0; i < count; ++i) {
      Object(i);
      Connection(i);
    }
    if (Below(10) == 0) code_ += "1 / 0\n";
    return code_;
  }

 private:
  int Below(int most) { return static_cast<int>(random_() % most); }
  std::string Any() {
    return names_.empty() ? "None" : names_[Below(names_.size())];
  }
  template <typename... Parts>
  void Line(const Parts&... parts) {
    absl::StrAppend(&code_, parts..., "\n");
  }

  void Object(int i) {
    constexpr const char* kBeginnings[] = {"", "_", "__", "Z", "a"};
    const std::string name = absl::StrCat(kBeginnings[Below(5)], "v", i);
    switch (Below(12)) {
      case 0:
        Line(name, " = P(); ", name, ".x = ", Any());
        break;
      case 1:
        Line(name, " = [", Any(), ", ", Any(), "]");
        break;
      case 2:
        Line(name, " = {'k': ", Any(), ", 1: ", Any(), "}");
        break;
      case 3:
        Line(name, " = (", Any(), ",)");
        break;
      case 4:
        Line(name, " = gen(", i, ", ", Any(), "); next(", name, ")");
        break;
      case 5:
        Line(name, " = lambda: ", Any());
        break;
      case 6:
        Line(name, " = S(); ", name, ".a = ", Any());
        break;
      case 7:
        Line("class ", name, "(P): y = ", Any());
        break;
      case 8:
        Line(name, " = open('out", i, "', 'w'); ", name, ".write('w')");
        break;
      default:
        Line(name, " = D(", i, ")");
    }
    names_.push_back(name);
  }

  void Connection(int i) {
    switch (Below(12)) {
      case 0:
      case 1:
      case 2:
        Line("try: ", Any(), ".held", i, " = ", Any());
        Line("except Exception: pass");
        break;
      case 3:
        Line("try: ", Any(), ".append(", Any(), ")");
        Line("except Exception: pass");
        break;
      case 4:
        Line("gc.collect(", Below(3), ")");
        break;
      case 5:
        Line("x = [[i] for i in range(", 1 + Below(3000), ")]");
        break;
      case 6:
        Line("sys.kept", i, " = ", Any());
        break;
      default:
        break;
    }
  }

  std::mt19937 random_;
  std::string code_;
  std::vector<std::string> names_;
};

TEST(EndsOfMadePrograms, AreAsExecuted) {
  constexpr unsigned kPrograms = 60;
  for (unsigned seed = 1; seed <= kPrograms; ++seed) {
    const std::string code = ProgramMaker(seed).Make();
    const BothWays run = RunBothWays({.name = "", .code = code});
    ASSERT_EQ(run.forked, run.executed) << "seed " << seed << "\n" << code;
  }
}

}  // namespace
}  // namespace cordon::testing
