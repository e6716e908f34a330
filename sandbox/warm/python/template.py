# What a template of Python does before it serves forks, and what each fork does
# around its program. The modules to import are the arguments.
#
# It is executed with `python3 -c`, in a namespace of its own: nothing of it is in
# the modules that a program sees.

import sys

# What a program finds imported is what its modules import, not what this does.
before = set(sys.modules)

import _imp
import _io
import _signal
import atexit
import builtins
import gc
import os
import posix
import stat
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import ExtensionFileLoader, SourceFileLoader
from _weakref import ref

# What this file relies on was looked at, and is tested, in these.
VERSIONS = ((3, 11),)

NATIVE = 4
SOURCE = 5


def load_fork_point():
    path = "/proc/self/fd/%d" % NATIVE
    name = "cordon_fork_point"
    return _imp.create_dynamic(
        ModuleSpec(name, ExtensionFileLoader(name, path), origin=path))


def forget_own_imports():
    for name in set(sys.modules) - before:
        del sys.modules[name]


def import_modules(names):
    # `python3 -c` finds modules where it starts.
    del sys.path[0]
    for name in names:
        __import__(name)
    sys.path_importer_cache.pop("", None)


def end_threads():
    """Libraries that make threads end them before a fork (pthread_atfork(3)),
    and make new ones when they need some."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    if len(os.listdir("/proc/self/task")) != 1:
        sys.exit("a module that was imported keeps a thread")


# ------------------------------------------------------------------ in a fork


def rehearse():
    """Does what is to come for no program: the pages that this copies, and those
    that it finds, are there when somebody waits."""
    for fd in (0, 1, 2):
        make_stream(fd, "r" if fd == 0 else "w", "<stream>", "strict")
    set_environment([b"HOME=."])
    is_script([b"", b"."])
    start_differs()
    main = sys.modules["__main__"]
    make_main("main.py")
    exec(compile("x = 'word'\nprint\ndef f(): return x\nf()\n", "", "exec"),
         sys.modules["__main__"].__dict__)
    sys.modules["__main__"] = main


def prepare():
    """All that does not depend on the program."""
    threading = sys.modules.get("threading")
    if threading is not None:
        # The thread is another one to the kernel, and its state is new.
        thread = threading.main_thread()
        thread._set_native_id()
        thread._set_tstate_lock()
    # random does it by itself.
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    rehearse()
    gc.freeze()


def make_stream(fd, mode, name, errors):
    """As the interpreter makes its standard streams at its start."""
    buffer = _io.open(fd, mode + "b", -1, closefd=False)
    buffer.raw.name = name
    stream = _io.TextIOWrapper(buffer, encoding, errors, "\n",
                               line_buffering=buffer.raw.isatty() or fd == 2)
    stream.mode = mode
    return stream


def set_environment(variables):
    # Also os.environ's own.
    environ = posix.environ
    environ.clear()
    for variable in variables:
        name, separator, value = variable.partition(b"=")
        # The first of several counts, as for getenv(3).
        if separator:
            environ.setdefault(name, value)


def set_user_base():
    """Where `site` would have found a user's own modules."""
    site = sys.modules.get("site")
    if site is not None and site.USER_BASE is not None:
        base = os.environ["HOME"] + "/.local"
        site.USER_SITE = base + site.USER_SITE[len(site.USER_BASE):]
        site.USER_BASE = base


def start_differs():
    """Whether a new interpreter would find other modules than were imported, or
    others than it finds everywhere."""
    try:
        if not os.path.samefile(os.environ.get("HOME", "/"), "."):
            return True
    except OSError:
        return True
    return ".local" in os.listdir(".") or has_imported(".")


def has_imported(directory):
    """Whether there is a file or a directory, at any depth, by the name of a module
    that was imported: the program may add its place to sys.path."""
    return any(entry.name.partition(".")[0] in imported or
               entry.is_dir(follow_symlinks=False) and has_imported(entry.path)
               for entry in os.scandir(directory))


def is_script(arguments):
    """Whether it is `python3 FILE` that is asked for, with a file that is there,
    beneath the working directory, and no archive (zipimport)."""
    if len(arguments) < 2 or arguments[1][:1] in (b"", b"-", b"/"):
        return False
    try:
        fd = os.open(arguments[1], os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    # The end of an archive, with the longest comment that it can have.
    most = 22 + 65535
    status = os.fstat(fd)
    end = b""
    if stat.S_ISREG(status.st_mode):
        end = os.pread(fd, most, max(0, status.st_size - most))
    os.close(fd)
    return stat.S_ISREG(status.st_mode) and b"PK\x05\x06" not in end


def make_main(path):
    """A new one: what called the fork point has a hold on the template's own."""
    module = type(sys)("__main__")
    main = module.__dict__
    main["__loader__"] = SourceFileLoader("__main__", path)
    main["__annotations__"] = {}
    main["__builtins__"] = builtins
    main["__file__"] = path
    main["__cached__"] = None
    sys.modules["__main__"] = module


def begin(argv, variables):
    set_environment(variables)
    if not is_script(argv) or start_differs():
        return None
    set_user_base()
    arguments = [os.fsdecode(argument) for argument in argv]
    directory = os.getcwd()
    path = directory + "/" + arguments[1]
    sys.orig_argv[:] = arguments
    sys.argv[:] = arguments[1:]
    sys.path.insert(0, directory)
    sys.path_importer_cache[path] = None
    sys.stdin = sys.__stdin__ = make_stream(0, "r", "<stdin>", stdin_errors)
    sys.stdout = sys.__stdout__ = make_stream(1, "w", "<stdout>", stdout_errors)
    sys.stderr = sys.__stderr__ = make_stream(2, "w", "<stderr>",
                                              "backslashreplace")
    make_main(path)
    return os.fsencode(path)


# ------------------------------------------------- what the fork point expects
#
# Of the types that an interpreter starts with, and of some of the standard
# library's that are not written in Python, those whose objects nobody notices
# the end of. Not among them: what has a finalizer, such as files and generators,
# and what calls somebody.

CALL_SOMEBODY = ("PyCapsule", "ProxyType", "CallableProxyType", "weakproxy",
                 "weakcallableproxy")
FROM_MODULES = ("array", "collections", "datetime", "decimal", "_decimal",
                "functools", "itertools", "math", "operator", "_json", "_random",
                "re", "_struct", "_thread", "_contextvars", "_abc")


def all_types():
    found = set()
    new = [object]
    while new:
        kind = new.pop()
        found.add(kind)
        new.extend(subtype for subtype in type.__subclasses__(kind)
                   if subtype not in found)
    return found


def harmless_types(at_start):
    kinds = [kind for kind in all_types()
             if (kind in at_start or kind.__module__ in FROM_MODULES) and
             not hasattr(kind, "__del__") and
             kind.__name__ not in CALL_SOMEBODY and
             not issubclass(kind, (ref, _io._IOBase))]
    class A:
        pass
    return [A, type(all_types), type(len), ref, _io.BytesIO, _io.StringIO] + kinds


def counts_at_start():
    """gc.get_count() on the first line of a new interpreter's program."""
    script = os.memfd_create("script")
    os.write(script, b"import gc\nprint(*gc.get_count())\n")
    reader, writer = os.pipe()
    path = "/proc/self/fd/%d" % script
    os.set_inheritable(script, True)
    child = os.posix_spawn(
        sys.executable, [sys.executable, path], os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)])
    os.close(writer)
    os.close(script)
    counts = os.read(reader, 100)
    os.close(reader)
    os.waitpid(child, 0)
    return tuple(map(int, counts.split()))


# ------------------------------------------------------------------------ main

if sys.version_info[:2] not in VERSIONS:
    sys.exit("templates of Python %d.%d are not supported" %
             sys.version_info[:2])
fork_point = load_fork_point()
for descriptor in (NATIVE, SOURCE):
    os.close(descriptor)
# As in a run, where nobody can ignore it: the interpreter does, at its start.
_signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
run_exit_functions = atexit._run_exitfuncs
encoding = sys.stdout.encoding
stdin_errors = sys.stdin.errors
stdout_errors = sys.stdout.errors
if not fork_point.restrict():
    sys.exit("a template cannot give up what it does not need")
counts = counts_at_start()
kinds_at_start = all_types()
forget_own_imports()
at_start = set(sys.modules)
import_modules(sys.argv[1:])
end_threads()
# Of which a program may have its own, beside it.
imported = {name.partition(".")[0] for name in set(sys.modules) - at_start}
kinds = harmless_types(kinds_at_start)
forgetters = [sys.modules[name].__dict__ for name in ("weakref", "_weakrefset")
              if name in sys.modules]
del kinds_at_start
gc.collect()
gc.freeze()
if not fork_point.expect(gc.garbage, gc.callbacks, gc.get_freeze_count(), counts,
                         kinds, forgetters):
    sys.exit("this interpreter's collector is another one")
# What is held here is held to the end of a fork.
kinds.clear()
forgetters.clear()
fork_point.serve(prepare, begin, run_exit_functions, globals())
